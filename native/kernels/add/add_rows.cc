// SPDX-License-Identifier: Apache-2.0
#include "kernels/add/add_rows.h"

#include <utility>

#include "kernels/add/add.h"
#include "kernels/add/add_ref.h"
#include "kernels/add/add_table.h"

namespace lastbit {
namespace {

using program::Tensor;

class AddRef final : public RowKernel {
 public:
  AddRef(const program::Add& add, const Tensor& a, const Tensor& b, const Tensor& output)
      : add_(add), a_(a), b_(b), output_(output) {}
  const char* name() const override { return "add_ref"; }
  size_t scratch_bytes() const override { return 2 * row_scratch(output_); }
  void row(const OpImages& images, int32_t y, uint8_t* scratch) const override {
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

class AddByVectors final : public RowKernel {
 public:
  explicit AddByVectors(std::unique_ptr<FastAdd> add) : add_(std::move(add)) {}
  const char* name() const override { return add_->name(); }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    add_->run(images.inputs[0]->row(y), images.inputs[1]->row(y), out.row_codes(), out.row(y));
  }

 private:
  std::unique_ptr<FastAdd> add_;
};

class AddByTable final : public RowKernel {
 public:
  AddByTable(const program::Add& add, const Tensor& a, const Tensor& b, const Tensor& output)
      : table_(add, a, b, output) {}
  const char* name() const override { return "add_table"; }
  void row(const OpImages& images, int32_t y, uint8_t*) const override {
    const Image& out = *images.output;
    table_.run(images.inputs[0]->row(y), images.inputs[1]->row(y), out.row_codes(), out.row(y));
  }

 private:
  AddTable table_;
};

}  // namespace

std::unique_ptr<RowKernel> make_add_ref(const program::Add& add, const Tensor& a, const Tensor& b,
                                        const Tensor& output) {
  return std::make_unique<AddRef>(add, a, b, output);
}

std::unique_ptr<RowKernel> make_add(const program::Add& add, const Tensor& a, const Tensor& b,
                                    const Tensor& output, uint32_t cpu_flags) {
  if (auto vectors = make_fast_add(add, a, b, output, cpu_flags)) {
    return std::make_unique<AddByVectors>(std::move(vectors));
  }
  if (program::is_8_bit(a.type) && program::is_8_bit(b.type) && program::is_8_bit(output.type)) {
    return std::make_unique<AddByTable>(add, a, b, output);
  }
  return make_add_ref(add, a, b, output);
}

}  // namespace lastbit
