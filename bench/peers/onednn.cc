// SPDX-License-Identifier: Apache-2.0
// Peer: an integer program's network on oneDNN 2.x int8 primitives (no part of lastbit's
// arithmetic: oneDNN requantizes in float32). Set up as well as its interface allows: NHWC
// activations, weights in the layout that the primitive asks for, reordered once, one output scale
// per channel, ReLU as the saturation of u8, residual additions as the convolution's sum.
//   onednn PROGRAM.lbp INPUT.bin THREADS
//
// oneDNN is fastest without zero points, so activations keep theirs only where it is the least
// code: those become u8 with zero point 0. The others become symmetric s8 with the same range.
// Weights are s8 without zero points; u8 weights with one are put on a symmetric grid.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <unordered_map>

#include "serve.h"

namespace lastbit::peers {
namespace {

using dnnl::memory;
using program::CodeType;
using program::Conv;
using program::Op;
using program::Program;
using program::Tensor;

// How oneDNN holds an activation: real = scale * code.
struct Activation {
  memory data;
  double scale = 1;
};

struct Step {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

int32_t stored_zero(const Tensor& t) { return t.zero_point + program::stored_offset(t.type); }

bool is_unsigned(const Tensor& t) { return stored_zero(t) == 0; }

// The scale under which symmetric s8 covers the tensor's range; u8 keeps the tensor's own.
double scale_of(const Tensor& t) {
  if (is_unsigned(t)) return t.scale;
  return t.scale * std::max(stored_zero(t), 255 - stored_zero(t)) / 127.0;
}

// The real factor of a requantization: input scale x weight scale / output scale.
double factor_of(const program::Requant& requant, size_t c) {
  switch (requant.kind) {
    case program::RequantKind::fixed:
      return std::ldexp(program::of_channel(requant.multiplier, c),
                        -program::of_channel(requant.shift, c));
    case program::RequantKind::shift:
      return std::ldexp(1.0, -program::of_channel(requant.shift, c));
    case program::RequantKind::f32:
      return program::of_channel(requant.scale, c);
    case program::RequantKind::none:
      break;
  }
  return 1;
}

// s8 weights of one channel and the factor by which their grid is coarser than the program's.
struct Channel {
  std::vector<int8_t> weights;
  double step = 1;
};

Channel symmetric(const Conv& conv, size_t oc) {
  const size_t k = conv.reduction();
  std::vector<int32_t> centred(k);
  int32_t most = 127;
  for (size_t i = 0; i < k; ++i) {
    centred[i] = conv.weight(oc, i) - conv.weight_zero_points[oc];
    most = std::max(most, std::abs(centred[i]));
  }
  Channel channel;
  channel.step = most / 127.0;
  for (int32_t w : centred) {
    channel.weights.push_back(static_cast<int8_t>(std::lround(w / channel.step)));
  }
  return channel;
}

class Network {
 public:
  explicit Network(const Program& program) : program_(program) {
    count_readers();
    for (size_t i = 0; i < program.ops.size(); ++i) {
      if (!fused_[i]) build(program.ops[i], i);
    }
  }

  void set_input(const std::vector<uint8_t>& codes) {
    const Tensor& tensor = program_.tensors[program_.input];
    auto* to = static_cast<uint8_t*>(at(program_.input).data.get_data_handle());
    const double ratio = tensor.scale / at(program_.input).scale;
    for (size_t i = 0; i < codes.size(); ++i) {
      const int32_t stored = tensor.type == CodeType::s8 ? codes[i] ^ 0x80 : codes[i];
      const double code = (stored - stored_zero(tensor)) * ratio;
      to[i] = static_cast<uint8_t>(static_cast<int32_t>(std::lround(code)));
    }
  }

  void run() {
    for (Step& step : steps_) step.primitive.execute(stream_, step.arguments);
    stream_.wait();
  }

  // Codes of the program's output in oneDNN's own type: good for a top-1.
  std::vector<int32_t> output() {
    const memory& data = at(program_.outputs[0]).data;
    const auto* bytes = static_cast<const uint8_t*>(data.get_data_handle());
    std::vector<int32_t> codes(program_.tensors[program_.outputs[0]].codes());
    const bool is_u8 = data.get_desc().data.data_type == dnnl_u8;
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = is_u8 ? bytes[i] : static_cast<int8_t>(bytes[i]);
    }
    return codes;
  }

 private:
  void count_readers() {
    last_reader_.assign(program_.tensors.size(), 0);
    readers_.assign(program_.tensors.size(), 0);
    fused_.assign(program_.ops.size(), false);
    for (size_t i = 0; i < program_.ops.size(); ++i) {
      for (uint32_t input : program_.ops[i].inputs) {
        ++readers_[input];
        last_reader_[input] = i;
      }
    }
  }

  void build(const Op& op, size_t index) {
    if (const auto* conv = std::get_if<Conv>(&op.body)) {
      convolution(op, *conv, index);
    } else if (std::holds_alternative<program::Add>(op.body)) {
      addition(op);
    } else if (std::holds_alternative<program::AveragePool>(op.body)) {
      global_average(op);
    } else if (std::holds_alternative<program::Reshape>(op.body)) {
      activations_[op.output] = at(op.inputs[0]);
    } else if (std::holds_alternative<program::Softmax>(op.body)) {
      // A thousandth of the work and monotonous: left out in oneDNN's favour.
      activations_[op.output] = at(op.inputs[0]);
    } else {
      refuse("oneDNN peer: no primitive for " + op.name);
    }
  }

  Activation& at(uint32_t tensor) {
    const auto known = activations_.find(tensor);
    if (known != activations_.end()) return known->second;
    return activations_[tensor] = make(tensor);
  }

  Activation make(uint32_t index) {
    const Tensor& t = program_.tensors[index];
    if (!program::is_8_bit(t.type)) refuse("oneDNN peer: " + t.name + " is wider than 8 bits");
    const auto type = is_unsigned(t) ? memory::data_type::u8 : memory::data_type::s8;
    const memory::desc desc({1, t.channels, t.height, t.width}, type, memory::format_tag::nhwc);
    return {memory(desc, engine_), scale_of(t)};
  }

  // The addition that is the only reader of this convolution's output and whose other operand
  // nobody reads later: it becomes a sum in the other operand's memory.
  std::optional<size_t> fusible_add(const Op& op, size_t index) {
    if (readers_[op.output] != 1) return std::nullopt;
    const size_t next = last_reader_[op.output];
    const Op& add = program_.ops[next];
    if (!std::holds_alternative<program::Add>(add.body)) return std::nullopt;
    const uint32_t other = add.inputs[0] == op.output ? add.inputs[1] : add.inputs[0];
    const bool is_free = last_reader_[other] == next && activations_.count(other) == 1;
    const bool same_type =
        is_unsigned(program_.tensors[other]) == is_unsigned(program_.tensors[add.output]);
    // Nothing between the two may need what the sum overwrites.
    for (size_t i = index + 1; i < next; ++i) {
      for (uint32_t input : program_.ops[i].inputs) {
        if (input == other) return std::nullopt;
      }
    }
    return is_free && same_type ? std::optional<size_t>(next) : std::nullopt;
  }

  void convolution(const Op& op, const Conv& conv, size_t index) {
    const Activation input = at(op.inputs[0]);
    const Tensor& in = program_.tensors[op.inputs[0]];
    const std::optional<size_t> add = fusible_add(op, index);
    dnnl::primitive_attr attributes;
    Activation output;
    if (add) {
      const Op& sum = program_.ops[*add];
      const Activation& other = at(sum.inputs[0] == op.output ? sum.inputs[1] : sum.inputs[0]);
      output = {other.data, scale_of(program_.tensors[sum.output])};
      dnnl::post_ops post;
      post.append_sum(static_cast<float>(other.scale / output.scale));
      attributes.set_post_ops(post);
      activations_[sum.output] = output;
      fused_[*add] = true;
    } else {
      output = at(op.output);
    }
    // m = si * sw / so with the program's scales; oneDNN's own take the place of si and so.
    const double rescale =
        program_.tensors[op.output].scale / in.scale * input.scale / output.scale;
    const auto channels = static_cast<size_t>(conv.output_channels);
    std::vector<float> scales(channels);
    std::vector<int32_t> bias(channels);
    std::vector<int8_t> weights;
    for (size_t oc = 0; oc < channels; ++oc) {
      const Channel channel = symmetric(conv, oc);
      weights.insert(weights.end(), channel.weights.begin(), channel.weights.end());
      scales[oc] = static_cast<float>(factor_of(conv.requant, oc) * rescale * channel.step);
      bias[oc] = static_cast<int32_t>(
          std::lround(conv.bias[oc] * (in.scale / input.scale) / channel.step));
    }
    attributes.set_output_scales(1 << 1, scales);
    emit(conv, attributes, input.data, output.data, weights, bias);
  }

  void emit(const Conv& conv, const dnnl::primitive_attr& attributes, const memory& input,
            const memory& output, std::vector<int8_t>& weights, const std::vector<int32_t>& bias) {
    using dims = memory::dims;
    const auto& window = conv.window;
    const int32_t group_inputs = conv.input_channels / conv.groups;
    const int32_t group_outputs = conv.output_channels / conv.groups;
    const bool grouped = conv.groups > 1;
    // The program's order is [oc][ky][kx][ic]; with groups, oc = (group, output of the group).
    const dims shape =
        grouped ? dims{conv.groups, group_outputs, group_inputs, window.kernel_h, window.kernel_w}
                : dims{conv.output_channels, group_inputs, window.kernel_h, window.kernel_w};
    const auto s8 = memory::data_type::s8;
    const auto order = grouped ? memory::format_tag::gohwi : memory::format_tag::ohwi;
    const memory::desc bias_desc({conv.output_channels}, memory::data_type::s32,
                                 memory::format_tag::x);
    const dims far = far_pads(conv, input.get_desc().dims(), output.get_desc().dims());
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, input.get_desc(),
        memory::desc(shape, s8, memory::format_tag::any), bias_desc, output.get_desc(),
        {window.stride_h, window.stride_w}, {window.dilation_h - 1, window.dilation_w - 1},
        {window.pads.top, window.pads.left}, far);
    const dnnl::convolution_forward::primitive_desc chosen(desc, attributes, engine_);
    memory plain(memory::desc(shape, s8, order), engine_, weights.data());
    memory packed(chosen.weights_desc(), engine_);
    dnnl::reorder(plain, packed).execute(stream_, plain, packed);
    stream_.wait();
    const memory sums(bias_desc, engine_);
    std::memcpy(sums.get_data_handle(), bias.data(), bias.size() * sizeof(int32_t));
    steps_.push_back({dnnl::convolution_forward(chosen),
                      {{DNNL_ARG_SRC, input},
                       {DNNL_ARG_WEIGHTS, packed},
                       {DNNL_ARG_BIAS, sums},
                       {DNNL_ARG_DST, output}}});
  }

  // oneDNN wants the padding below and to the right that the output's size implies.
  static memory::dims far_pads(const Conv& conv, const memory::dims& in, const memory::dims& out) {
    const auto& w = conv.window;
    const auto far = [](int64_t size, int64_t positions, int64_t stride, int64_t kernel,
                        int64_t dilation, int64_t near) {
      return (positions - 1) * stride + (kernel - 1) * dilation + 1 - size - near;
    };
    return {far(in[2], out[2], w.stride_h, w.kernel_h, w.dilation_h, w.pads.top),
            far(in[3], out[3], w.stride_w, w.kernel_w, w.dilation_w, w.pads.left)};
  }

  // An addition that no convolution takes in.
  void addition(const Op& op) {
    const Activation a = at(op.inputs[0]);
    const Activation b = at(op.inputs[1]);
    const Activation& output = at(op.output);
    dnnl::primitive_attr attributes;
    attributes.set_scales(DNNL_ARG_SRC_0, 0, {static_cast<float>(a.scale / output.scale)});
    attributes.set_scales(DNNL_ARG_SRC_1, 0, {static_cast<float>(b.scale / output.scale)});
    const dnnl::binary::desc desc(dnnl::algorithm::binary_add, a.data.get_desc(), b.data.get_desc(),
                                  output.data.get_desc());
    steps_.push_back(
        {dnnl::binary(dnnl::binary::primitive_desc(desc, attributes, engine_)),
         {{DNNL_ARG_SRC_0, a.data}, {DNNL_ARG_SRC_1, b.data}, {DNNL_ARG_DST, output.data}}});
  }

  void global_average(const Op& op) {
    const Tensor& in = program_.tensors[op.inputs[0]];
    const Tensor& out = program_.tensors[op.output];
    if (out.pixels() != 1) refuse("oneDNN peer: " + op.name + " is no global pool");
    const Activation input = at(op.inputs[0]);
    const auto type = static_cast<memory::data_type>(input.data.get_desc().data.data_type);
    const memory::desc desc({1, out.channels, 1, 1}, type, memory::format_tag::nhwc);
    // The pool keeps its input's scale, which saves oneDNN a requantization.
    const Activation& output = activations_[op.output] = {memory(desc, engine_), input.scale};
    const dnnl::pooling_v2_forward::desc pool(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_avg_exclude_padding,
        input.data.get_desc(), desc, {1, 1}, {in.height, in.width}, {0, 0}, {0, 0}, {0, 0});
    steps_.push_back(
        {dnnl::pooling_v2_forward(dnnl::pooling_v2_forward::primitive_desc(pool, engine_)),
         {{DNNL_ARG_SRC, input.data}, {DNNL_ARG_DST, output.data}}});
  }

  const Program& program_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::unordered_map<uint32_t, Activation> activations_;
  std::vector<Step> steps_;
  std::vector<size_t> last_reader_, readers_;  // by tensor
  std::vector<bool> fused_;                    // by operation
};

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  using namespace lastbit::peers;
  if (argc < 4) refuse("usage: onednn PROGRAM.lbp INPUT.bin THREADS");
  omp_set_num_threads(std::atoi(argv[3]));
  const LoadedFile file = read_program(argv[1]);
  const auto input = read_input(argv[2], file.program.tensors[file.program.input]);
  try {
    Network network(file.program);
    // Additions write over their operands, so the input is set before the run whose output counts.
    network.set_input(input);
    network.run();
    const dnnl_version_t* v = dnnl_version();
    const std::string facts = ", \"version\": \"" + std::to_string(v->major) + "." +
                              std::to_string(v->minor) + "." + std::to_string(v->patch) + "\"" +
                              output_fact(network.output());
    return serve("onednn", facts, [&] { network.run(); });
  } catch (const dnnl::error& error) {
    refuse(std::string("oneDNN: ") + error.message);
  }
}
