// SPDX-License-Identifier: Apache-2.0
// Reads one program: the inside of load(). Its methods are defined by purpose, in load.cc (frame
// and operations), load_conv.cc, load_elementwise.cc, load_pool.cc, load_moves.cc, load_requant.cc
// and load_stages.cc.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "numeric/saturate.h"
#include "program/program.h"
#include "program/reader.h"

namespace lastbit::program {

constexpr uint32_t max_side = 65536;

constexpr bool fits32(Int128 v) { return v >= INT32_MIN && v <= INT32_MAX; }

// Least and greatest of code - zero point; 0 lies between, since zero points are codes.
struct Centred {
  int64_t least, greatest;
};

inline Centred centred(const Tensor& t) {
  return {int64_t{least_code(t.type)} - t.zero_point,
          int64_t{greatest_code(t.type)} - t.zero_point};
}

// Least and greatest value of an accumulator, or behind a stage; within [-2^62, 2^62].
struct Interval {
  int64_t least, greatest;
};

class Loader {
 public:
  Loader(const uint8_t* bytes, size_t size) : r_(bytes, size), size_(size) {}

  Program read();

 private:
  [[noreturn]] void fail(const std::string& message) const {
    Reader::fail_at(op_offset_, op_text_ + message);
  }
  void require(bool condition, const char* message) const {
    if (!condition) fail(message);
  }

  // Frame
  void read_header();
  void read_facts();
  void read_tensors();
  Tensor read_tensor();
  uint32_t tensor_index(const char* what);
  void read_input_and_outputs();
  void read_ops();
  void read_op();
  void read_operands(Op& op, Opcode opcode);
  void check_all_written() const;

  // Bodies
  Body read_body(Opcode opcode);
  Body read_conv();
  Body read_add();
  Body read_mul();
  Body read_average_pool();
  Body read_max_pool();
  Body read_concat();
  Body read_pad();
  Body read_reshape();
  Body read_lut();
  Body read_softmax();
  Body read_splice();
  Body read_resize();

  // Parts of bodies
  Window read_window(bool with_dilations);
  Window read_pool_window();
  Pads read_pads();
  Accumulator read_accumulator();
  void read_weights(Conv& conv);
  AddRescaled read_rescaled();
  AddAligned read_aligned();
  AddF32 read_f32_add();
  AddRequant read_requant_add();
  AddTables read_table_add();
  Requant read_sum_requant(const Window& window);
  ResizeAxis read_resize_axis(const Resize& resize, int32_t from, int32_t to);
  SoftmaxGemmlowp read_softmax_gemmlowp();
  SoftmaxTable read_softmax_table();
  SoftmaxWide read_softmax_wide();
  // A float32 in [2^-exponent, 2^exponent].
  float bounded_scale(const char* what, int exponent);
  // Scales whose products and sums can neither overflow nor be 0 / 0.
  float moderate_scale(const char* what) { return bounded_scale(what, 64); }

  // Requantizations of `channels` channels, and what may follow from their accumulators.
  Requant read_requant(size_t channels, bool wide_accumulator);
  void read_stages(Requant& q, size_t channels);
  Stage read_stage(size_t channels);
  StageClamp read_stage_clamp(size_t channels);
  StageSegments read_segments();
  StageThresholds read_thresholds(size_t channels);
  // Whether no value of `stages` leaves [-2^62, 2^62]; other kinds have no such limit.
  void check_stages(const Requant& q, size_t channel, const Interval& accumulator) const;
  void check_stages_alike(const Requant& q, size_t channels, const Interval& accumulator) const;
  Clamp read_clamp(size_t channels);
  Clamp read_clamp() { return read_clamp(static_cast<size_t>(out_->channels)); }

  // Checks
  void require_output(int64_t height, int64_t width, int64_t channels) const;
  void require_output_like(const Tensor& t) const { require_output(t.height, t.width, t.channels); }
  void require_same_codes() const;
  void require_window_output(const Window& w, int64_t channels) const;
  void require_entries(size_t count, size_t channels, const char* what) const;
  void check_weight_count(const Conv& conv) const;
  void check_pairs(const Conv& conv) const;
  void check_sums(const Conv& conv) const;
  void check_rescaled_sum(const AddRescaled& f, int64_t a, int64_t b) const;

  template <class T>
  void require_range(const std::vector<T>& values, int64_t least, int64_t greatest,
                     const char* what) const {
    for (const T v : values) {
      if (v < least || v > greatest) {
        fail(std::string(what) + " must be in [" + std::to_string(least) + ", " +
             std::to_string(greatest) + "], got " + std::to_string(v));
      }
    }
  }

  // One entry, or one per channel.
  template <class T>
  std::vector<T> read_entries(const char* what, size_t channels) {
    std::vector<T> values = r_.array<T>(what);
    require_entries(values.size(), channels, what);
    return values;
  }

  // As above, widened.
  template <class T>
  std::vector<int32_t> read_small_entries(const char* what, size_t channels) {
    const std::vector<T> values = read_entries<T>(what, channels);
    return {values.begin(), values.end()};
  }

  const Tensor& in(size_t i = 0) const { return *inputs_[i]; }

  Reader r_;
  size_t size_;
  Program p_;
  std::vector<bool> written_;
  // Of the operation being read:
  std::string op_text_;
  size_t op_offset_ = 0;
  std::vector<const Tensor*> inputs_;
  const Tensor* out_ = nullptr;
};

}  // namespace lastbit::program
