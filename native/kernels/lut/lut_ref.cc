// SPDX-License-Identifier: Apache-2.0
#include "kernels/lut/lut_ref.h"

#include <algorithm>
#include <array>
#include <vector>

namespace lastbit {
namespace {

using program::Tensor;

// The table is indexed by stored codes: its entry i is for the i-th code, which is stored as i for
// u8 and for s8 alike. Its entries are stored codes too where they have 8 bits.
class Lut8 final : public RowKernel {
 public:
  Lut8(const program::Lut& lut, const Tensor& output)
      : bytes_(program::is_8_bit(output.type)), scratch_bytes_(bytes_ ? 0 : row_scratch(output)) {
    std::copy(lut.table.begin(), lut.table.end(), table_.begin());
    if (bytes_) store_codes(output.type, table_.data(), table_.size(), stored_table_.data());
  }
  const char* name() const override { return "lut_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
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

class Lut16 final : public RowKernel {
 public:
  Lut16(const program::Lut& lut, const Tensor& output)
      : table_(lut.table), scratch_bytes_(row_scratch(output)) {}
  const char* name() const override { return "lut_s16_ref"; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
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

}  // namespace

std::unique_ptr<RowKernel> make_lut_ref(const program::Lut& lut, const Tensor& input,
                                        const Tensor& output) {
  if (program::is_8_bit(input.type)) return std::make_unique<Lut8>(lut, output);
  return std::make_unique<Lut16>(lut, output);
}

}  // namespace lastbit
