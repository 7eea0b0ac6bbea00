// SPDX-License-Identifier: Apache-2.0
// Small valid programs as plain data, encoded as src/program/NOTES.md says: a test changes one
// field and sees what the loader makes of it. Nothing is shared with the loader but the
// enumerations.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace lastbit::test {

class Bytes {
 public:
  Bytes& u32(uint32_t v) { return raw(&v, 4); }
  Bytes& i32(int32_t v) { return raw(&v, 4); }
  Bytes& f32(float v) { return raw(&v, 4); }
  template <class T>
  Bytes& array(const std::vector<T>& values) {
    u32(static_cast<uint32_t>(values.size()));
    raw(values.data(), values.size() * sizeof(T));
    return pad();
  }
  Bytes& str(const std::string& s) { return array(std::vector<char>(s.begin(), s.end())); }
  Bytes& list(const std::vector<uint32_t>& values) {
    for (const uint32_t v : values) u32(v);
    return *this;
  }
  Bytes& append(const Bytes& other) { return raw(other.data.data(), other.data.size()); }

  std::vector<uint8_t> data;

 private:
  Bytes& raw(const void* from, size_t count) {
    const auto* bytes = static_cast<const uint8_t*>(from);
    data.insert(data.end(), bytes, bytes + count);
    return *this;
  }
  Bytes& pad() {
    while (data.size() % 4 != 0) data.push_back(0);
    return *this;
  }
};

struct TensorSpec {
  std::string name;
  uint32_t type, height, width, channels;
  int32_t zero_point = 0;
  float scale = 1;
};

struct ClampSpec {
  std::vector<int32_t> lo{0}, hi{255};
  void write(Bytes& b) const { b.array(lo).array(hi); }
};

inline Bytes stage_add(const std::vector<int64_t>& value) { return Bytes().u32(0).array(value); }
inline Bytes stage_multiply(const std::vector<int32_t>& factor) {
  return Bytes().u32(1).array(factor);
}
inline Bytes stage_shift(const std::vector<int8_t>& shift, uint32_t rule = 3) {
  return Bytes().u32(2).u32(rule).array(shift);
}
inline Bytes stage_saturate(uint32_t bits) { return Bytes().u32(3).u32(bits); }
inline Bytes stage_clamp(const std::vector<int64_t>& lo, const std::vector<int64_t>& hi) {
  return Bytes().u32(4).array(lo).array(hi);
}

// Lines of slope 1/2 through 0 and of slope 1 from 10 on.
struct SegmentsSpec {
  uint32_t rule = 3;
  std::vector<int64_t> start{0, 10};
  std::vector<int32_t> multiplier{1, 1};
  std::vector<uint8_t> shift{1, 0};
  std::vector<int64_t> offset{0, 5};
  Bytes bytes() const {
    return Bytes().u32(5).u32(rule).array(start).array(multiplier).array(shift).array(offset);
  }
};

inline Bytes stage_thresholds(uint32_t count, const std::vector<int64_t>& values,
                              uint32_t strict = 0) {
  return Bytes().u32(6).u32(strict).u32(count).array(values);
}

// One stage of each kind.
inline std::vector<Bytes> all_stages() {
  return {stage_add({-5}),
          stage_multiply({3}),
          stage_shift({2}, 7),
          stage_saturate(12),
          stage_clamp({-900}, {900}),
          SegmentsSpec().bytes(),
          stage_thresholds(3, {-7, 2, 2})};
}

struct RequantSpec {
  uint32_t kind = 1, rule = 3;
  std::vector<int32_t> multiplier{1 << 30};
  std::vector<uint8_t> shift{33};
  std::vector<float> scale{0.5f};
  std::vector<int8_t> signed_shift{7};
  std::vector<Bytes> stages{stage_shift({7})};  // each with its kind
  uint32_t stage_count_more = 0;
  void write(Bytes& b) const {
    b.u32(kind);
    if (kind == 1) b.u32(rule).array(multiplier).array(shift);
    if (kind == 2) b.array(scale);
    if (kind == 3) b.u32(rule).array(signed_shift);
    if (kind == 4) {
      b.u32(static_cast<uint32_t>(stages.size()) + stage_count_more);
      for (const Bytes& stage : stages) b.append(stage);
    }
    if (kind == 5) b.u32(rule).array(scale);
  }
};

struct OpSpec {
  uint32_t opcode;
  std::string name;
  std::vector<uint32_t> inputs;
  uint32_t output;
  Bytes body;
  int32_t body_bytes_more = 0;  // what the stated length is off by
};

struct ProgramSpec {
  std::string magic = "LBP1";
  uint32_t version = 1;
  int32_t total_more = 0;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<TensorSpec> tensors;
  uint32_t input = 0, form = 0, rule = 0;
  std::vector<uint32_t> outputs;
  std::vector<OpSpec> ops;
  uint32_t op_count_more = 0;

  std::vector<uint8_t> encode() const {
    Bytes b;
    b.str("test@1").u32(static_cast<uint32_t>(facts.size()));
    for (const auto& [key, value] : facts) b.str(key).str(value);
    b.u32(static_cast<uint32_t>(tensors.size()));
    for (const TensorSpec& t : tensors) {
      b.str(t.name).list({t.type, t.height, t.width, t.channels}).i32(t.zero_point).f32(t.scale);
    }
    b.list({input, form, rule}).array(outputs);
    b.u32(static_cast<uint32_t>(ops.size()) + op_count_more);
    for (const OpSpec& op : ops) {
      b.u32(op.opcode).u32(static_cast<uint32_t>(op.body.data.size()) +
                           static_cast<uint32_t>(op.body_bytes_more));
      b.str(op.name).array(op.inputs).u32(op.output).append(op.body);
    }
    Bytes file;
    for (const char c : magic) file.data.push_back(static_cast<uint8_t>(c));
    file.u32(version).u32(static_cast<uint32_t>(16 + b.data.size()) +
                          static_cast<uint32_t>(total_more));
    return file.u32(0).append(b).data;
  }
};

// 3 x 3 on 5 x 4 x 4 u8, stride 2 x 1, padded, to 3 x 4 x 6 u8; two groups.
struct ConvSpec {
  TensorSpec in{"x", 0, 5, 4, 4, 10}, out{"y", 0, 3, 4, 6, 20};
  std::vector<uint32_t> window{3, 3, 2, 1, 1, 1, 1, 1, 1, 1};  // kernel, strides, dilations, pads
  uint32_t groups = 2, weight_type = 0;
  std::vector<int8_t> weights = std::vector<int8_t>(6 * 9 * 2, 3);
  std::vector<uint8_t> weights_u8;
  std::vector<int16_t> weights_s16;
  std::vector<int32_t> zero_points{0}, bias = std::vector<int32_t>(6, 100);
  std::vector<uint32_t> accumulator{32, 0, 1, 0, 0};  // bits, overflow, when, products, biasFirst
  RequantSpec requant;
  ClampSpec clamp;

  ProgramSpec program() const {
    OpSpec op{0, "conv", {0}, 1, {}, 0};
    op.body.list(window).u32(groups).u32(weight_type);
    if (weight_type == 1) {
      op.body.array(weights_u8);
    } else if (weight_type == 2) {
      op.body.array(weights_s16);
    } else {
      op.body.array(weights);
    }
    op.body.array(zero_points).array(bias).list(accumulator);
    requant.write(op.body);
    clamp.write(op.body);
    ProgramSpec p;
    p.tensors = {in, out};
    p.outputs = {1};
    p.ops = {op};
    return p;
  }
};

struct AddSpec {
  TensorSpec a{"a", 1, 2, 3, 4, -5}, b{"b", 1, 2, 3, 4, 7}, out{"y", 1, 2, 3, 4, 1};
  uint32_t form = 0;
  uint32_t left_shift = 20;
  int32_t multiplier_a = 1 << 30, multiplier_b = 1 << 30, multiplier_out = 1 << 30;
  uint32_t shift_a = 32, shift_b = 33, shift_out = 49, rule = 9;
  uint32_t order = 0;
  float scale_a = 0.5f, scale_b = 0.25f, scale_out = 1;
  int32_t weight_a = 3, weight_b = 2;
  RequantSpec requant;
  ClampSpec clamp{{-128}, {127}};

  // b is made of a by a lut that keeps its codes; the second operation adds.
  ProgramSpec program() const {
    OpSpec copy{8, "copy", {0}, 1, {}, 0};
    std::vector<int32_t> table(256);
    for (int32_t i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = i - 128;
    copy.body.array(table);
    OpSpec op{1, "add", {0, 1}, 2, {}, 0};
    op.body.u32(form);
    if (form == 0) {
      op.body.u32(left_shift).i32(multiplier_a).u32(shift_a).i32(multiplier_b).u32(shift_b);
      op.body.i32(multiplier_out).u32(shift_out).u32(rule);
    } else if (form == 1) {
      op.body.i32(multiplier_a).i32(multiplier_b).u32(shift_a).u32(rule);
    } else if (form == 2) {
      op.body.u32(order).f32(scale_a).f32(scale_b).f32(scale_out);
    } else {
      op.body.i32(weight_a).i32(weight_b);
      requant.write(op.body);
    }
    clamp.write(op.body);
    ProgramSpec p;
    p.tensors = {a, b, out};
    p.outputs = {2};
    p.ops = {copy, op};
    return p;
  }
};

// An operation of one input and one output, its body given.
inline ProgramSpec one_op(uint32_t opcode, const TensorSpec& in, const TensorSpec& out,
                          const Bytes& body) {
  ProgramSpec p;
  p.tensors = {in, out};
  p.outputs = {1};
  p.ops = {{opcode, "op", {0}, 1, body, 0}};
  return p;
}

struct PoolSpec {
  TensorSpec in{"x", 0, 5, 5, 3, 9}, out{"y", 0, 3, 3, 3, 9};
  std::vector<uint32_t> window{3, 3, 2, 2, 1, 1, 1, 1};  // kernel, strides, pads
  uint32_t form = 0, rule = 0;
  RequantSpec requant;
  float scale_in = 0.5f, scale_out = 0.25f;
  ClampSpec clamp;

  ProgramSpec average() const {
    Bytes b;
    b.list(window).u32(form);
    if (form == 0) {
      b.u32(rule);
    } else if (form == 1) {
      requant.write(b);
    } else {
      b.f32(scale_in).f32(scale_out);
    }
    clamp.write(b);
    return one_op(3, in, out, b);
  }
  ProgramSpec max() const {
    Bytes b;
    b.list(window);
    clamp.write(b);
    return one_op(4, in, out, b);
  }
};

struct SoftmaxSpec {
  TensorSpec in{"x", 1, 1, 1, 10}, out{"y", 1, 1, 1, 10, -128, 1 / 256.0f};
  uint32_t form = 0;
  int32_t multiplier = 1 << 30;
  uint32_t left_shift = 23;
  int32_t diff_min = -248;
  std::vector<float> table = std::vector<float>(256, 0.5f);
  float output_scale = 1 / 256.0f;
  uint32_t rule = 0;

  ProgramSpec program() const {
    Bytes b;
    b.u32(form);
    if (form == 0) {
      b.i32(multiplier).u32(left_shift).i32(diff_min);
    } else {
      b.array(table).f32(output_scale).u32(rule);
    }
    return one_op(9, in, out, b);
  }
};

// A multiplication, a concatenation, a pad, a reshape and a lut in one program.
struct MixedSpec {
  TensorSpec x{"x", 0, 2, 3, 4, 3};
  std::vector<TensorSpec> more{{"mul", 0, 2, 3, 4, 3},
                               {"concat", 0, 2, 3, 8, 3},
                               {"pad", 0, 3, 5, 8, 3},
                               {"reshape", 0, 1, 1, 120, 3},
                               {"lut", 2, 1, 1, 120, 0}};
  RequantSpec requant;
  ClampSpec clamp;
  std::vector<uint32_t> pads{0, 1, 1, 1};
  std::vector<int32_t> table = std::vector<int32_t>(256, -3000);

  ProgramSpec program() const {
    ProgramSpec p;
    p.tensors = {x};
    p.tensors.insert(p.tensors.end(), more.begin(), more.end());
    OpSpec mul{2, "mul", {0, 0}, 1, {}, 0};
    requant.write(mul.body);
    clamp.write(mul.body);
    OpSpec pad{6, "pad", {2}, 3, {}, 0};
    pad.body.list(pads);
    OpSpec lut{8, "lut", {4}, 5, {}, 0};
    lut.body.array(table);
    p.ops = {mul, {5, "concat", {0, 1}, 2, {}, 0}, pad, {7, "reshape", {3}, 4, {}, 0}, lut};
    p.outputs = {5};
    return p;
  }
};

}  // namespace lastbit::test
