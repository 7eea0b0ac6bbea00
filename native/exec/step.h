// SPDX-License-Identifier: Apache-2.0
// One operation, prepared: its kernel is chosen and its constants packed. Immutable, shared by
// threads and contexts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/conv/conv_ref.h"
#include "kernels/row_kernel.h"
#include "program/program.h"
#include "program/ranges.h"

namespace lastbit::exec {

class Step {
 public:
  virtual ~Step() = default;
  // Family and tier, for reports: "gemm_u8s8_vnni", "add_ref".
  virtual const char* kernel() const = 0;
  // What the accumulators of a convolution can reach, or null where that was not found out.
  virtual const program::Range* accumulators() const { return nullptr; }
  // Halo that each input needs around its image.
  virtual Pads input_halo() const { return {}; }
  // Bytes of 64-byte aligned scratch for a call of run().
  virtual size_t scratch_bytes() const { return 0; }
  // Into how many tasks to split it for that many threads; 1 for one thread. Any number up to this
  // gives the same bytes.
  virtual int32_t task_count(int32_t threads) const = 0;
  // Does task `task` of `tasks`. Sets trap->element, which is -1 at first, if an accumulator
  // trapped. Lower tasks hold lower elements.
  virtual void run(const OpImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
                   TrapSite* trap) const = 0;
};

struct StepOptions {
  uint32_t cpu_flags = 0;
  bool reference = false;  // reference kernels for all operations
};

// Packs what it needs of the operation's weights; `program` may lose them afterwards.
std::unique_ptr<Step> make_step(const program::Program& program, const program::Op& op,
                                const StepOptions& options);

}  // namespace lastbit::exec
