// SPDX-License-Identifier: Apache-2.0
// Peer: an integer program as plain loops, as bit-exact emulators are written today. Exact, one
// thread, no SIMD but what the compiler finds at -O2. The definitions of the final steps
// (requantization, addition, softmax) are the core library's; the loop nests are here.
//   loops PROGRAM.lbp INPUT.bin
#include <algorithm>
#include <cstring>

#include "kernels/add/add_ref.h"
#include "kernels/requant/finish.h"
#include "kernels/softmax/softmax_ref.h"
#include "serve.h"

namespace lastbit::peers {
namespace {

using program::CodeType;
using program::Conv;
using program::Op;
using program::Program;
using program::Tensor;

// Codes of all tensors, dense NHWC in their own types.
using Memory = std::vector<std::vector<uint8_t>>;

int32_t code_at(const Tensor& tensor, const std::vector<uint8_t>& bytes, size_t i) {
  switch (tensor.type) {
    case CodeType::u8:
      return bytes[i];
    case CodeType::s8:
      return static_cast<int8_t>(bytes[i]);
    case CodeType::s16:
      return reinterpret_cast<const int16_t*>(bytes.data())[i];
    case CodeType::s32:
      break;
  }
  return reinterpret_cast<const int32_t*>(bytes.data())[i];
}

void put_codes(const Tensor& tensor, const int32_t* codes, size_t count, size_t at,
               std::vector<uint8_t>* bytes) {
  for (size_t i = 0; i < count; ++i) {
    switch (tensor.type) {
      case CodeType::u8:
      case CodeType::s8:
        (*bytes)[at + i] = static_cast<uint8_t>(codes[i]);
        break;
      case CodeType::s16:
        reinterpret_cast<int16_t*>(bytes->data())[at + i] = static_cast<int16_t>(codes[i]);
        break;
      case CodeType::s32:
        reinterpret_cast<int32_t*>(bytes->data())[at + i] = codes[i];
        break;
    }
  }
}

// The accumulator of one output value: every product inside the image, centred codes and weights.
template <class Code, class Weight>
int32_t accumulate(const Conv& conv, const Tensor& in, const Code* x, const Weight* weights,
                   int32_t oy, int32_t ox, int32_t oc) {
  const auto& window = conv.window;
  const int32_t group_inputs = conv.input_channels / conv.groups;
  const int32_t group_outputs = conv.output_channels / conv.groups;
  const int32_t first_channel = oc / group_outputs * group_inputs;
  const int32_t weight_zero = conv.weight_zero_points[static_cast<size_t>(oc)];
  const Weight* w = weights + static_cast<size_t>(oc) * conv.reduction();
  int32_t sum = conv.bias[static_cast<size_t>(oc)];
  for (int32_t ky = 0; ky < window.kernel_h; ++ky) {
    const int32_t iy = oy * window.stride_h - window.pads.top + ky * window.dilation_h;
    for (int32_t kx = 0; kx < window.kernel_w; ++kx, w += group_inputs) {
      const int32_t ix = ox * window.stride_w - window.pads.left + kx * window.dilation_w;
      if (iy < 0 || iy >= in.height || ix < 0 || ix >= in.width) continue;
      const Code* pixel =
          x + (static_cast<size_t>(iy) * in.width + ix) * in.channels + first_channel;
      for (int32_t c = 0; c < group_inputs; ++c) {
        sum += (pixel[c] - in.zero_point) * (w[c] - weight_zero);
      }
    }
  }
  return sum;
}

template <class Code, class Weight>
void convolve(const Conv& conv, const Tensor& in, const Tensor& out, const Code* x,
              std::vector<uint8_t>* y) {
  const Finish finish(conv.requant, conv.clamp, out.zero_point);
  const auto channels = static_cast<size_t>(out.channels);
  std::vector<int32_t> sums(channels), codes(channels);
  const auto* weights = static_cast<const Weight*>(conv.weights);
  for (int32_t oy = 0; oy < out.height; ++oy) {
    for (int32_t ox = 0; ox < out.width; ++ox) {
      for (int32_t oc = 0; oc < out.channels; ++oc) {
        sums[static_cast<size_t>(oc)] = accumulate(conv, in, x, weights, oy, ox, oc);
      }
      finish.all(sums.data(), channels, codes.data());
      put_codes(out, codes.data(), channels, (static_cast<size_t>(oy) * out.width + ox) * channels,
                y);
    }
  }
}

template <class Code>
void convolve_weights(const Conv& conv, const Tensor& in, const Tensor& out, const uint8_t* x,
                      std::vector<uint8_t>* y) {
  const auto* codes = reinterpret_cast<const Code*>(x);
  if (conv.weight_type == program::WeightType::s8) {
    convolve<Code, int8_t>(conv, in, out, codes, y);
  } else {
    convolve<Code, uint8_t>(conv, in, out, codes, y);
  }
}

void run_conv(const Conv& conv, const Tensor& in, const Tensor& out, const uint8_t* x,
              std::vector<uint8_t>* y) {
  if (in.type == CodeType::u8) {
    convolve_weights<uint8_t>(conv, in, out, x, y);
  } else {
    convolve_weights<int8_t>(conv, in, out, x, y);
  }
}

// The mean over the whole image; other windows are refused.
void run_pool(const program::AveragePool& pool, const Tensor& in, const Tensor& out,
              const std::vector<uint8_t>& x, std::vector<uint8_t>* y) {
  if (pool.form == program::AverageForm::f32_window) refuse("loops peer: means in float32");
  const bool divide = pool.form == program::AverageForm::divide;
  const Finish finish(pool.requant, pool.clamp, out.zero_point);
  const auto n = static_cast<int64_t>(in.pixels());
  const auto channels = static_cast<size_t>(in.channels);
  for (size_t c = 0; c < channels; ++c) {
    int64_t sum = 0;
    for (size_t pixel = 0; pixel < in.pixels(); ++pixel) {
      sum += code_at(in, x, pixel * channels + c) - (divide ? 0 : in.zero_point);
    }
    int32_t code = 0;
    if (divide) {
      const bool up = pool.rule == program::DivideRule::half_up;
      const int64_t half = pool.rule == program::DivideRule::trunc0 ? 0 : n / 2;
      const int64_t shifted = up || sum > 0 ? sum + half : sum - half;
      int64_t mean = shifted / n;
      if (up && shifted % n < 0) --mean;
      code = static_cast<int32_t>(std::clamp<int64_t>(mean, program::of_channel(pool.clamp.lo, c),
                                                      program::of_channel(pool.clamp.hi, c)));
    } else {
      code = finish.one(sum, c);
    }
    put_codes(out, &code, 1, c, y);
  }
}

std::vector<int32_t> codes_of(const Tensor& tensor, const std::vector<uint8_t>& bytes) {
  std::vector<int32_t> codes(tensor.codes());
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = code_at(tensor, bytes, i);
  return codes;
}

void run_op(const Program& program, const Op& op, Memory* memory) {
  const Tensor& in = program.tensors[op.inputs[0]];
  const Tensor& out = program.tensors[op.output];
  const std::vector<uint8_t>& x = (*memory)[op.inputs[0]];
  std::vector<uint8_t>* y = &(*memory)[op.output];
  if (const auto* conv = std::get_if<Conv>(&op.body)) {
    run_conv(*conv, in, out, x.data(), y);
  } else if (const auto* add = std::get_if<program::Add>(&op.body)) {
    const Tensor& other = program.tensors[op.inputs[1]];
    const std::vector<int32_t> a = codes_of(in, x), b = codes_of(other, (*memory)[op.inputs[1]]);
    std::vector<int32_t> sums(out.codes());
    add_ref(*add, in, other, out, a.data(), b.data(), sums.size(), sums.data());
    put_codes(out, sums.data(), sums.size(), 0, y);
  } else if (const auto* pool = std::get_if<program::AveragePool>(&op.body)) {
    run_pool(*pool, in, out, x, y);
  } else if (const auto* softmax = std::get_if<program::Softmax>(&op.body)) {
    const std::vector<int32_t> logits = codes_of(in, x);
    std::vector<int32_t> shares(out.codes());
    SoftmaxRef(*softmax, out).run(logits.data(), logits.size(), shares.data());
    put_codes(out, shares.data(), shares.size(), 0, y);
  } else {
    *y = x;  // Reshape: the same codes in the same order
  }
}

// What the loops above leave out.
void check(const Program& program, const Op& op) {
  const Tensor& in = program.tensors[op.inputs[0]];
  if (const auto* conv = std::get_if<Conv>(&op.body)) {
    const bool plain = conv->accumulator.bits == 32 &&
                       conv->accumulator.products == program::Products::exact &&
                       conv->weight_type != program::WeightType::s16;
    if (!plain || !program::is_8_bit(in.type)) refuse("no plain loops for " + op.name);
  } else if (const auto* pool = std::get_if<program::AveragePool>(&op.body)) {
    const bool whole = pool->window.kernel_h == in.height && pool->window.kernel_w == in.width &&
                       program.tensors[op.output].pixels() == 1;
    if (!whole) refuse("no plain loops for " + op.name);
  } else if (std::holds_alternative<program::Softmax>(op.body)) {
    if (in.pixels() != 1) refuse("no plain loops for " + op.name);
  } else if (!std::holds_alternative<program::Add>(op.body) &&
             !std::holds_alternative<program::Reshape>(op.body)) {
    refuse("no plain loops for " + op.name);
  }
}

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using namespace lastbit::peers;
  if (argc < 3) refuse("usage: loops PROGRAM.lbp INPUT.bin");
  const LoadedFile file = read_program(argv[1]);
  const auto& program = file.program;
  for (const auto& op : program.ops) check(program, op);
  Memory memory;
  for (const auto& tensor : program.tensors) memory.emplace_back(tensor.bytes());
  memory[program.input] = read_input(argv[2], program.tensors[program.input]);
  const auto run = [&] {
    for (const auto& op : program.ops) run_op(program, op, &memory);
  };
  run();
  const uint32_t output = program.outputs[0];
  const auto codes = codes_of(program.tensors[output], memory[output]);
  return serve("loops", ", \"version\": \"g++ " __VERSION__ " -O2\"" + output_fact(codes), run);
}
