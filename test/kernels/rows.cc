// SPDX-License-Identifier: Apache-2.0
#include "kernels/rows.h"

#include <algorithm>
#include <numeric>

namespace lastbit::check {

using program::Tensor;

namespace {

Image image_of(const Tensor& t, uint8_t* data) {
  const auto row = ptrdiff_t{t.width} * t.channels * ptrdiff_t(program::code_bytes(t.type));
  return {data, t.height, t.width, t.channels, row, {}, t.type};
}

int32_t code_at(const Image& image, size_t i) {
  const uint8_t* from = image.data + i * program::code_bytes(image.type);
  int32_t code;
  load_codes(image.type, from, 1, &code);
  return code;
}

size_t place(const Image& image, int32_t y, int32_t x, int32_t c) {
  return (size_t(y) * size_t(image.width) + size_t(x)) * size_t(image.channels) + size_t(c);
}

std::vector<int32_t> shuffled(Noise& noise, int32_t count) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int32_t i = count - 1; i > 0; --i) {
    std::swap(order[size_t(i)], order[size_t(noise.range(0, i))]);
  }
  return order;
}

}  // namespace

TestImage::TestImage(Noise& noise, const Tensor& tensor)
    : memory_(std::make_unique<Guarded>(tensor.bytes())),
      image_(image_of(tensor, memory_->data())) {
  const int32_t lo = program::least_code(tensor.type), hi = program::greatest_code(tensor.type);
  for (size_t i = 0; i < tensor.codes(); ++i) {
    const int32_t code = noise.chance(10) ? noise.pick({lo, hi}) : noise.range(lo, hi);
    store_codes(tensor.type, &code, 1, image_.data + i * program::code_bytes(tensor.type));
  }
}

int32_t TestImage::at(int32_t y, int32_t x, int32_t c) const {
  return code_at(image_, place(image_, y, x, c));
}

int32_t TestImage::at(size_t i) const { return code_at(image_, i); }

Tensor random_tensor(Noise& noise, program::CodeType type) {
  Tensor tensor;
  tensor.type = type;
  tensor.height = noise.range(1, 6);
  tensor.width = noise.pick({1, 2, 7, 16, noise.range(1, 19)});
  tensor.channels = noise.pick({1, 3, 16, 17, noise.range(1, 40)});
  tensor.zero_point = noise.range(program::least_code(type), program::greatest_code(type));
  return tensor;
}

void compare_rows(Check& check, const char* variant, const RowKernel& kernel,
                  const std::vector<const TestImage*>& inputs, const Tensor& output, Noise& noise,
                  const Definition& definition) {
  const TestImage result(noise, output);
  std::vector<const Image*> images;
  for (const TestImage* input : inputs) images.push_back(&input->image());
  const Guarded scratch(kernel.scratch_bytes(), 0, true);
  for (const int32_t y : shuffled(noise, output.height)) {
    kernel.row({images.data(), &result.image()}, y, scratch.data());
  }
  check.count(variant);
  for (int32_t y = 0; y < output.height; ++y) {
    for (int32_t x = 0; x < output.width; ++x) {
      for (int32_t c = 0; c < output.channels; ++c) {
        const int32_t expected = definition(y, x, c), got = result.at(y, x, c);
        if (got == expected) continue;
        check.fail(variant, "code (%d, %d, %d): expected %d, got %d", y, x, c, expected, got);
        return;
      }
    }
  }
}

}  // namespace lastbit::check
