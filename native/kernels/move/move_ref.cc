// SPDX-License-Identifier: Apache-2.0
#include "kernels/move/move_ref.h"

#include <algorithm>
#include <cstring>

namespace lastbit {
namespace {

using program::Tensor;

class ConcatRef final : public RowKernel {
 public:
  explicit ConcatRef(size_t inputs) : inputs_(inputs) {}
  const char* name() const override { return "concat_ref"; }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
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

class PadRef final : public RowKernel {
 public:
  PadRef(const program::Pad& pad, const Tensor& output)
      : pads_(pad.pads), zero_point_(output.zero_point) {}
  const char* name() const override { return "pad_ref"; }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
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

class SpliceRef final : public RowKernel {
 public:
  explicit SpliceRef(const program::Splice& splice) : splice_(splice) {}
  const char* name() const override { return "splice_ref"; }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
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

}  // namespace

std::unique_ptr<RowKernel> make_concat_ref(size_t inputs) {
  return std::make_unique<ConcatRef>(inputs);
}

std::unique_ptr<RowKernel> make_pad_ref(const program::Pad& pad, const Tensor& output) {
  return std::make_unique<PadRef>(pad, output);
}

std::unique_ptr<RowKernel> make_splice_ref(const program::Splice& splice) {
  return std::make_unique<SpliceRef>(splice);
}

void reshape_ref(const Image& in, const Image& out) {
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

}  // namespace lastbit
