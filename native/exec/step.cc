// SPDX-License-Identifier: Apache-2.0
#include "exec/step.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "kernels/add/add_rows.h"
#include "kernels/conv/fast_conv.h"
#include "kernels/lut/lut_ref.h"
#include "kernels/move/move_ref.h"
#include "kernels/mul/mul_ref.h"
#include "kernels/pool/global_pool.h"
#include "kernels/pool/pool_ref.h"
#include "kernels/resize/resize_ref.h"
#include "kernels/softmax/softmax_ref.h"
#include "threads/split.h"

namespace lastbit::exec {
namespace {

using program::Op;
using program::Program;
using program::Tensor;
using threads::part_begin;
using threads::split;

// Any operation that is written row by row.
class RowStep final : public Step {
 public:
  RowStep(std::unique_ptr<RowKernel> kernel, const Tensor& output)
      : kernel_(std::move(kernel)), height_(output.height) {}

  const char* kernel() const override { return kernel_->name(); }
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  int32_t task_count(int32_t threads) const override { return split(height_, threads); }
  void run(const OpImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite*) const override {
    const int32_t end = part_begin(height_, task + 1, tasks);
    for (int32_t y = part_begin(height_, task, tasks); y < end; ++y) {
      kernel_->row(images, y, scratch);
    }
  }

 private:
  std::unique_ptr<RowKernel> kernel_;
  int32_t height_;
};

class ConvRefStep final : public Step {
 public:
  ConvRefStep(const program::Conv& conv, const Tensor& input, const Tensor& output)
      : conv_(make_conv_ref(conv, input, output)), height_(output.height) {}

  const char* kernel() const override { return conv_->name(); }
  size_t scratch_bytes() const override { return conv_->scratch_bytes(); }
  int32_t task_count(int32_t threads) const override { return split(height_, threads); }
  void run(const OpImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite* trap) const override {
    conv_->run(*images.inputs[0], *images.output, part_begin(height_, task, tasks),
               part_begin(height_, task + 1, tasks), scratch, trap);
  }

 private:
  std::unique_ptr<ConvRef> conv_;
  int32_t height_;
};

class FastConvStep final : public Step {
 public:
  FastConvStep(std::unique_ptr<FastConv> conv, const Tensor& output)
      : conv_(std::move(conv)), height_(output.height), panels_(conv_->panel_count()) {}

  const char* kernel() const override { return conv_->name(); }
  const program::Range* accumulators() const override { return &conv_->accumulators; }
  Pads input_halo() const override { return conv_->input_halo(); }
  size_t scratch_bytes() const override { return conv_->scratch_bytes(); }
  int32_t task_count(int32_t threads) const override {
    if (!conv_->split_by_panel()) return split(height_, threads);
    if (threads == 1 || panels_ >= 2 * threads) return split(panels_, threads);
    return panels_ * row_parts(threads);
  }
  void run(const OpImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite*) const override {
    conv_->run(view_of(*images.inputs[0]), view_of(*images.output), slice_of(task, tasks), scratch);
  }

 private:
  Slice slice_of(int32_t task, int32_t tasks) const {
    Slice slice{0, height_, 0, panels_};
    if (!conv_->split_by_panel()) {
      slice.row_begin = part_begin(height_, task, tasks);
      slice.row_end = part_begin(height_, task + 1, tasks);
    } else if (tasks <= panels_) {
      slice.panel_begin = part_begin(panels_, task, tasks);
      slice.panel_end = part_begin(panels_, task + 1, tasks);
    } else {  // each panel by parts of its rows
      const int32_t parts = tasks / panels_;
      slice.panel_begin = task / parts;
      slice.panel_end = slice.panel_begin + 1;
      slice.row_begin = part_begin(height_, task % parts, parts);
      slice.row_end = part_begin(height_, task % parts + 1, parts);
    }
    return slice;
  }

  // Where the panels alone are too few to keep all threads at work to the end.
  int32_t row_parts(int32_t threads) const {
    return std::min(height_, (threads * threads::tasks_per_thread + panels_ - 1) / panels_);
  }

  std::unique_ptr<FastConv> conv_;
  int32_t height_, panels_;
};

class GlobalPoolStep final : public Step {
 public:
  GlobalPoolStep(const program::AveragePool& pool, const Tensor& input, const Tensor& output)
      : pool_(pool, input, output) {}

  const char* kernel() const override { return "global_pool_u8"; }
  size_t scratch_bytes() const override { return pool_.scratch_bytes(); }
  int32_t task_count(int32_t threads) const override { return split(pool_.parts(), threads); }
  void run(const OpImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite*) const override {
    pool_.run(view_of(*images.inputs[0]), view_of(*images.output),
              part_begin(pool_.parts(), task, tasks), part_begin(pool_.parts(), task + 1, tasks),
              scratch);
  }

 private:
  GlobalPool pool_;
};

class ReshapeStep final : public Step {
 public:
  const char* kernel() const override { return "reshape_ref"; }
  int32_t task_count(int32_t) const override { return 1; }
  void run(const OpImages& images, int32_t, int32_t, uint8_t*, TrapSite*) const override {
    reshape_ref(*images.inputs[0], *images.output);
  }
};

std::unique_ptr<Step> make_conv_step(const program::Conv& conv, const Tensor& input,
                                     const Tensor& output, const StepOptions& options) {
  const bool eight_bits = program::is_8_bit(input.type) && program::is_8_bit(output.type);
  if (!options.reference && eight_bits) {
    if (auto simd = make_fast_conv(conv, input, output, options.cpu_flags)) {
      return std::make_unique<FastConvStep>(std::move(simd), output);
    }
  }
  return std::make_unique<ConvRefStep>(conv, input, output);
}

// Makes the step of each kind of operation; a kind without a line here does not compile.
struct StepMaker {
  const Program& program;
  const Op& op;
  const StepOptions& options;

  std::unique_ptr<Step> operator()(const program::Conv& conv) const {
    return make_conv_step(conv, in(0), out(), options);
  }
  std::unique_ptr<Step> operator()(const program::AveragePool& pool) const {
    if (!options.reference && GlobalPool::fits(pool, in(0), out())) {
      return std::make_unique<GlobalPoolStep>(pool, in(0), out());
    }
    return by_rows(make_average_pool_ref(pool, in(0), out()));
  }
  std::unique_ptr<Step> operator()(const program::Add& add) const {
    return by_rows(options.reference ? make_add_ref(add, in(0), in(1), out())
                                     : make_add(add, in(0), in(1), out(), options.cpu_flags));
  }
  std::unique_ptr<Step> operator()(const program::Mul& mul) const {
    return by_rows(make_mul_ref(mul, in(0), in(1), out()));
  }
  std::unique_ptr<Step> operator()(const program::MaxPool& pool) const {
    return by_rows(make_max_pool_ref(pool, in(0), out()));
  }
  std::unique_ptr<Step> operator()(const program::Concat&) const {
    return by_rows(make_concat_ref(op.inputs.size()));
  }
  std::unique_ptr<Step> operator()(const program::Pad& pad) const {
    return by_rows(make_pad_ref(pad, out()));
  }
  std::unique_ptr<Step> operator()(const program::Reshape&) const {
    return std::make_unique<ReshapeStep>();
  }
  std::unique_ptr<Step> operator()(const program::Lut& lut) const {
    return by_rows(make_lut_ref(lut, in(0), out()));
  }
  std::unique_ptr<Step> operator()(const program::Softmax& softmax) const {
    return by_rows(make_softmax_ref(softmax, out()));
  }
  std::unique_ptr<Step> operator()(const program::Splice& splice) const {
    return by_rows(make_splice_ref(splice));
  }
  std::unique_ptr<Step> operator()(const program::Resize& resize) const {
    return by_rows(make_resize_ref(resize, in(0), out()));
  }

 private:
  const Tensor& in(size_t i) const { return program.tensors[op.inputs[i]]; }
  const Tensor& out() const { return program.tensors[op.output]; }
  std::unique_ptr<Step> by_rows(std::unique_ptr<RowKernel> kernel) const {
    return std::make_unique<RowStep>(std::move(kernel), out());
  }
};

}  // namespace

std::unique_ptr<Step> make_step(const Program& program, const Op& op, const StepOptions& options) {
  return std::visit(StepMaker{program, op, options}, op.body);
}

}  // namespace lastbit::exec
