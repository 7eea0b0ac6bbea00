// SPDX-License-Identifier: Apache-2.0
#include "exec/step.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "exec/split.h"
#include "kernels/add/add.h"
#include "kernels/add/add_ref.h"
#include "kernels/add/add_table.h"
#include "kernels/conv/fast_conv.h"
#include "kernels/pool/global_pool.h"
#include "kernels/pool/pool_ref.h"
#include "kernels/requant/finish.h"
#include "kernels/softmax/softmax_ref.h"

namespace lastbit::exec {
namespace {

using program::Op;
using program::Program;
using program::Tensor;

size_t row_scratch(const Tensor& t) {
  const size_t bytes = static_cast<size_t>(t.width) * static_cast<size_t>(t.channels) * 4;
  return (bytes + 63) / 64 * 64;
}

// A step split by output rows.
class RowStep : public Step {
 public:
  explicit RowStep(const Tensor& output) : height_(output.height) {}

  int32_t task_count(int32_t threads) const override { return split(height_, threads); }
  void run(const StepImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite* trap) const override {
    rows(images, part_begin(height_, task, tasks), part_begin(height_, task + 1, tasks), scratch,
         trap);
  }

 protected:
  virtual void rows(const StepImages& images, int32_t begin, int32_t end, uint8_t* scratch,
                    TrapSite* trap) const {
    (void)trap;
    for (int32_t y = begin; y < end; ++y) row(images, y, scratch);
  }
  virtual void row(const StepImages& images, int32_t y, uint8_t* scratch) const {
    (void)images, (void)y, (void)scratch;
  }

 private:
  int32_t height_;
};

class ConvRefStep : public RowStep {
 public:
  ConvRefStep(const program::Conv& conv, const Tensor& input, const Tensor& output)
      : RowStep(output), conv_(make_conv_ref(conv, input, output)) {}
  const char* kernel() const override { return conv_->name(); }
  size_t scratch_bytes() const override { return conv_->scratch_bytes(); }

 protected:
  void rows(const StepImages& images, int32_t begin, int32_t end, uint8_t* scratch,
            TrapSite* trap) const override {
    conv_->run(*images.inputs[0], *images.output, begin, end, scratch, trap);
  }

 private:
  std::unique_ptr<ConvRef> conv_;
};

class FastConvStep : public Step {
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
  void run(const StepImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite*) const override {
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
    conv_->run(view_of(*images.inputs[0]), view_of(*images.output), slice, scratch);
  }

 private:
  // Where the panels alone are too few to keep all threads at work to the end.
  int32_t row_parts(int32_t threads) const {
    return std::min(height_, (threads * tasks_per_thread + panels_ - 1) / panels_);
  }

  std::unique_ptr<FastConv> conv_;
  int32_t height_, panels_;
};

class AddStep : public RowStep {
 public:
  AddStep(const program::Add& add, const Tensor& a, const Tensor& b, const Tensor& output)
      : RowStep(output), add_(add), a_(a), b_(b), output_(output) {}
  const char* kernel() const override { return "add_ref"; }
  size_t scratch_bytes() const override { return 2 * row_scratch(output_); }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &a = *images.inputs[0], &b = *images.inputs[1], &out = *images.output;
    const size_t count = out.row_codes();
    auto* codes_a = reinterpret_cast<int32_t*>(scratch);
    auto* codes_b = reinterpret_cast<int32_t*>(scratch + row_scratch(output_));
    load_codes(a.type, a.row(y), count, codes_a);
    load_codes(b.type, b.row(y), count, codes_b);
    add_ref(add_, a_, b_, output_, codes_a, codes_b, count, codes_a);
    store_codes(out.type, codes_a, count, out.row(y));
  }

 private:
  program::Add add_;
  Tensor a_, b_, output_;
};

class FastAddStep : public RowStep {
 public:
  FastAddStep(std::unique_ptr<FastAdd> add, const Tensor& output)
      : RowStep(output), add_(std::move(add)) {}
  const char* kernel() const override { return add_->name(); }
  size_t scratch_bytes() const override { return 0; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    add_->run(images.inputs[0]->row(y), images.inputs[1]->row(y), out.row_codes(), out.row(y));
  }

 private:
  std::unique_ptr<FastAdd> add_;
};

class AddTableStep : public RowStep {
 public:
  AddTableStep(const program::Add& add, const Tensor& a, const Tensor& b, const Tensor& output)
      : RowStep(output), table_(add, a, b, output) {}
  const char* kernel() const override { return "add_table"; }
  size_t scratch_bytes() const override { return 0; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    table_.run(images.inputs[0]->row(y), images.inputs[1]->row(y), out.row_codes(), out.row(y));
  }

 private:
  AddTable table_;
};

// p = (a - za) * (b - zb), finished per channel.
class MulStep : public RowStep {
 public:
  MulStep(const program::Mul& mul, const Tensor& a, const Tensor& b, const Tensor& output)
      : RowStep(output),
        finish_(mul.requant, mul.clamp, output.zero_point),
        repeat_b_(mul.repeat_b),
        a_(a),
        b_(b) {}
  const char* kernel() const override { return "mul_ref"; }
  size_t scratch_bytes() const override { return row_scratch(a_) + row_scratch(b_); }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &a = *images.inputs[0], &b = *images.inputs[1], &out = *images.output;
    const auto channels = static_cast<size_t>(out.channels);
    auto* codes_a = reinterpret_cast<int32_t*>(scratch);
    auto* codes_b = reinterpret_cast<int32_t*>(scratch + row_scratch(a_));
    load_codes(a.type, a.row(y), a.row_codes(), codes_a);
    load_codes(b.type, b.row(repeat_b_ ? 0 : y), b.row_codes(), codes_b);
    for (int32_t x = 0; x < out.width; ++x) {
      int32_t* pixel = codes_a + static_cast<size_t>(x) * channels;
      const int32_t* by = codes_b + (repeat_b_ ? 0 : static_cast<size_t>(x) * channels);
      for (size_t c = 0; c < channels; ++c) {
        pixel[c] = (pixel[c] - a_.zero_point) * (by[c] - b_.zero_point);
      }
      finish_.all(pixel, channels, pixel);
    }
    store_codes(out.type, codes_a, out.row_codes(), out.row(y));
  }

 private:
  Finish finish_;
  bool repeat_b_;
  Tensor a_, b_;
};

class AveragePoolStep : public RowStep {
 public:
  AveragePoolStep(const program::AveragePool& pool, const Tensor& input, const Tensor& output)
      : RowStep(output),
        pool_(pool),
        finish_(pool.requant, pool.clamp, output.zero_point),
        input_(input),
        output_(output),
        scratch_bytes_(pool_scratch_bytes(input, output)) {}
  const char* kernel() const override { return "average_pool_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    average_pool_ref(pool_, finish_, input_, output_, *images.inputs[0], *images.output, y,
                     scratch);
  }

 private:
  program::AveragePool pool_;
  Finish finish_;
  Tensor input_, output_;
  size_t scratch_bytes_;
};

class GlobalPoolStep : public Step {
 public:
  GlobalPoolStep(const program::AveragePool& pool, const Tensor& input, const Tensor& output)
      : pool_(pool, input, output) {}
  const char* kernel() const override { return "global_pool_u8"; }
  size_t scratch_bytes() const override { return pool_.scratch_bytes(); }
  int32_t task_count(int32_t threads) const override { return split(pool_.parts(), threads); }
  void run(const StepImages& images, int32_t task, int32_t tasks, uint8_t* scratch,
           TrapSite*) const override {
    pool_.run(view_of(*images.inputs[0]), view_of(*images.output),
              part_begin(pool_.parts(), task, tasks), part_begin(pool_.parts(), task + 1, tasks),
              scratch);
  }

 private:
  GlobalPool pool_;
};

class MaxPoolStep : public RowStep {
 public:
  MaxPoolStep(const program::MaxPool& pool, const Tensor& input, const Tensor& output)
      : RowStep(output), pool_(pool), scratch_bytes_(pool_scratch_bytes(input, output)) {}
  const char* kernel() const override { return "max_pool_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    max_pool_ref(pool_, *images.inputs[0], *images.output, y, scratch);
  }

 private:
  program::MaxPool pool_;
  size_t scratch_bytes_;
};

// Stored codes are copied as they are: types (and so offsets) of both sides are equal.
class ConcatStep : public RowStep {
 public:
  using RowStep::RowStep;
  ConcatStep(const Tensor& output, size_t inputs) : RowStep(output), inputs_(inputs) {}
  const char* kernel() const override { return "concat_ref"; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    const size_t size = program::code_bytes(out.type);
    const size_t pixel = static_cast<size_t>(out.channels) * size;
    uint8_t* to = out.row(y);
    for (size_t i = 0; i < inputs_; ++i) {
      const Image& in = *images.inputs[i];
      const size_t part = static_cast<size_t>(in.channels) * size;
      for (size_t x = 0; x < static_cast<size_t>(out.width); ++x) {
        std::memcpy(to + x * pixel, in.row(y) + x * part, part);
      }
      to += part;
    }
  }

 private:
  size_t inputs_;
};

class PadStep : public RowStep {
 public:
  PadStep(const program::Pad& pad, const Tensor& output)
      : RowStep(output), pads_(pad.pads), zero_point_(output.zero_point) {}
  const char* kernel() const override { return "pad_ref"; }
  size_t scratch_bytes() const override { return 0; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t*) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const auto channels = static_cast<size_t>(out.channels);
    const size_t size = program::code_bytes(out.type);
    const int32_t from = y - pads_.top;
    if (from < 0 || from >= in.height) return border(out, out.row(y), out.row_codes());
    const size_t left = static_cast<size_t>(pads_.left) * channels;
    border(out, out.row(y), left);
    std::memcpy(out.row(y) + left * size, in.row(from), in.row_codes() * size);
    border(out, out.row(y) + (left + in.row_codes()) * size,
           static_cast<size_t>(pads_.right) * channels);
  }

 private:
  void border(const Image& out, uint8_t* to, size_t count) const {
    const size_t size = program::code_bytes(out.type);
    if (program::is_8_bit(out.type)) {
      std::memset(to, zero_point_ + program::stored_offset(out.type), count);
    } else {
      for (size_t i = 0; i < count; ++i) store_codes(out.type, &zero_point_, 1, to + i * size);
    }
  }

  Pads pads_;
  int32_t zero_point_;
};

// Rows of the two shapes do not match, so it runs as one task over runs of equal codes.
class ReshapeStep : public Step {
 public:
  const char* kernel() const override { return "reshape_ref"; }
  int32_t task_count(int32_t) const override { return 1; }
  void run(const StepImages& images, int32_t, int32_t, uint8_t*, TrapSite*) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const size_t size = program::code_bytes(out.type);
    const size_t in_row = in.row_codes() * size, out_row = out.row_codes() * size;
    const size_t total = in_row * static_cast<size_t>(in.height);
    for (size_t at = 0; at < total;) {
      const size_t run = std::min(in_row - at % in_row, out_row - at % out_row);
      std::memcpy(out.row(static_cast<int32_t>(at / out_row)) + at % out_row,
                  in.row(static_cast<int32_t>(at / in_row)) + at % in_row, run);
      at += run;
    }
  }
};

// Stored codes are copied as they are.
class SpliceStep : public RowStep {
 public:
  SpliceStep(const program::Splice& splice, const Tensor& output)
      : RowStep(output), splice_(splice) {}
  const char* kernel() const override { return "splice_ref"; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    const size_t size = program::code_bytes(out.type), count = out.row_codes();
    const uint8_t *a = images.inputs[0]->row(y), *b = images.inputs[1]->row(y);
    uint8_t* to = out.row(y);
    size_t place = static_cast<size_t>(y) * count % splice_.period;
    for (size_t at = 0; at < count;) {
      const bool first = place < splice_.from;
      const size_t end = first ? splice_.from : splice_.period;
      const size_t run = std::min(end - place, count - at);
      std::memcpy(to + at * size, (first ? a : b) + at * size, run * size);
      at += run;
      place = (place + run) % splice_.period;
    }
  }

 private:
  program::Splice splice_;
};

// The table is indexed by stored codes: its entry i is for the i-th code, which is stored as i for
// u8 and for s8 alike. Its entries are stored codes too where they have 8 bits.
class LutStep : public RowStep {
 public:
  LutStep(const program::Lut& lut, const Tensor& output)
      : RowStep(output),
        bytes_(program::is_8_bit(output.type)),
        scratch_bytes_(bytes_ ? 0 : row_scratch(output)) {
    std::copy(lut.table.begin(), lut.table.end(), table_.begin());
    if (bytes_) store_codes(output.type, table_.data(), table_.size(), stored_table_.data());
  }
  const char* kernel() const override { return "lut_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    const Image& out = *images.output;
    const uint8_t* from = images.inputs[0]->row(y);
    uint8_t* to = out.row(y);
    const size_t count = out.row_codes();
    if (bytes_) {
      for (size_t i = 0; i < count; ++i) to[i] = stored_table_[from[i]];
      return;
    }
    auto* codes = reinterpret_cast<int32_t*>(scratch);
    for (size_t i = 0; i < count; ++i) codes[i] = table_[from[i]];
    store_codes(out.type, codes, count, to);
  }

 private:
  bool bytes_;
  size_t scratch_bytes_;
  std::array<int32_t, 256> table_{};
  std::array<uint8_t, 256> stored_table_{};
};

// Of 65536 entries.
class WideLutStep : public RowStep {
 public:
  WideLutStep(const program::Lut& lut, const Tensor& output)
      : RowStep(output), table_(lut.table), scratch_bytes_(row_scratch(output)) {}
  const char* kernel() const override { return "lut_s16_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const size_t count = out.row_codes();
    auto* codes = reinterpret_cast<int32_t*>(scratch);
    load_codes(in.type, in.row(y), count, codes);
    for (size_t i = 0; i < count; ++i) codes[i] = table_[static_cast<size_t>(codes[i] - INT16_MIN)];
    store_codes(out.type, codes, count, out.row(y));
  }

 private:
  std::vector<int32_t> table_;
  size_t scratch_bytes_;
};

class SoftmaxStep : public RowStep {
 public:
  SoftmaxStep(const program::Softmax& softmax, const Tensor& output)
      : RowStep(output), softmax_(softmax, output), output_(output) {}
  const char* kernel() const override { return "softmax_ref"; }
  size_t scratch_bytes() const override { return 2 * row_scratch(output_); }

 protected:
  void row(const StepImages& images, int32_t y, uint8_t* scratch) const override {
    const Image &in = *images.inputs[0], &out = *images.output;
    const auto channels = static_cast<size_t>(out.channels);
    auto* x = reinterpret_cast<int32_t*>(scratch);
    auto* codes = reinterpret_cast<int32_t*>(scratch + row_scratch(output_));
    load_codes(in.type, in.row(y), in.row_codes(), x);
    for (size_t at = 0; at < out.row_codes(); at += channels) {
      softmax_.run(x + at, channels, codes + at);
    }
    store_codes(out.type, codes, out.row_codes(), out.row(y));
  }

 private:
  SoftmaxRef softmax_;
  Tensor output_;
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

std::unique_ptr<Step> make_add_step(const program::Add& add, const Tensor& a, const Tensor& b,
                                    const Tensor& output, const StepOptions& options) {
  if (!options.reference) {
    if (auto simd = make_fast_add(add, a, b, output, options.cpu_flags)) {
      return std::make_unique<FastAddStep>(std::move(simd), output);
    }
    if (program::is_8_bit(a.type) && program::is_8_bit(b.type) && program::is_8_bit(output.type)) {
      return std::make_unique<AddTableStep>(add, a, b, output);
    }
  }
  return std::make_unique<AddStep>(add, a, b, output);
}

std::unique_ptr<Step> make_lut_step(const program::Lut& lut, const Tensor& input,
                                    const Tensor& output) {
  if (program::is_8_bit(input.type)) return std::make_unique<LutStep>(lut, output);
  return std::make_unique<WideLutStep>(lut, output);
}

std::unique_ptr<Step> make_average_pool_step(const program::AveragePool& pool, const Tensor& input,
                                             const Tensor& output, const StepOptions& options) {
  if (!options.reference && GlobalPool::fits(pool, input, output)) {
    return std::make_unique<GlobalPoolStep>(pool, input, output);
  }
  return std::make_unique<AveragePoolStep>(pool, input, output);
}

}  // namespace

std::unique_ptr<Step> make_step(const Program& program, const Op& op, const StepOptions& options) {
  const auto in = [&](size_t i) -> const Tensor& { return program.tensors[op.inputs[i]]; };
  const Tensor& out = program.tensors[op.output];
  switch (op.opcode()) {
    case program::Opcode::conv:
      return make_conv_step(std::get<program::Conv>(op.body), in(0), out, options);
    case program::Opcode::add:
      return make_add_step(std::get<program::Add>(op.body), in(0), in(1), out, options);
    case program::Opcode::mul:
      return std::make_unique<MulStep>(std::get<program::Mul>(op.body), in(0), in(1), out);
    case program::Opcode::average_pool:
      return make_average_pool_step(std::get<program::AveragePool>(op.body), in(0), out, options);
    case program::Opcode::max_pool:
      return std::make_unique<MaxPoolStep>(std::get<program::MaxPool>(op.body), in(0), out);
    case program::Opcode::concat:
      return std::make_unique<ConcatStep>(out, op.inputs.size());
    case program::Opcode::pad:
      return std::make_unique<PadStep>(std::get<program::Pad>(op.body), out);
    case program::Opcode::reshape:
      return std::make_unique<ReshapeStep>();
    case program::Opcode::lut:
      return make_lut_step(std::get<program::Lut>(op.body), in(0), out);
    case program::Opcode::softmax:
      return std::make_unique<SoftmaxStep>(std::get<program::Softmax>(op.body), out);
    case program::Opcode::splice:
      break;
  }
  return std::make_unique<SpliceStep>(std::get<program::Splice>(op.body), out);
}

}  // namespace lastbit::exec
