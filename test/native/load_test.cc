// SPDX-License-Identifier: Apache-2.0
// Each check of the loader has a case that only it refuses; and no bytes at all may crash it.
#include "program/load.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "cpu.h"
#include "exec/engine.h"
#include "native/program_bytes.h"

namespace lastbit::test {
namespace {

using program::load;
using program::LoadResult;

// std::vector's memory is aligned for anything.
LoadResult load_bytes(const std::vector<uint8_t>& bytes) {
  return load(bytes.data(), bytes.size());
}

// Applies a change to a valid spec and expects a message with these words.
template <class Spec, class Build>
void expect_refused(const char* words, void (*change)(Spec&), Build build) {
  Spec spec;
  ASSERT_TRUE(load_bytes(build(spec)).ok) << load_bytes(build(spec)).message;
  change(spec);
  const std::vector<uint8_t> bytes = build(spec);
  const LoadResult result = load_bytes(bytes);
  EXPECT_FALSE(result.ok) << "expected a refusal with: " << words;
  EXPECT_NE(result.message.find(words), std::string::npos)
      << "expected \"" << words << "\" in \"" << result.message << "\"";
  EXPECT_LE(result.offset, bytes.size());
}

template <class Spec>
struct Case {
  const char* words;
  void (*change)(Spec&);
};

template <class Spec>
void expect_all_refused(const std::vector<Case<Spec>>& cases) {
  for (const Case<Spec>& c : cases) {
    expect_refused<Spec>(c.words, c.change, [](const Spec& s) { return s.program().encode(); });
  }
}

// A program whose frame (header, facts, tensors, order) can be changed as a whole.
struct FrameSpec {
  ProgramSpec p = MixedSpec().program();
  const ProgramSpec& program() const { return p; }
};

TEST(Load, ReadsWhatWasWritten) {
  ConvSpec spec;
  spec.weights[17] = -7;
  spec.requant.rule = 9;
  const std::vector<uint8_t> bytes = spec.program().encode();
  const LoadResult result = load_bytes(bytes);
  ASSERT_TRUE(result.ok) << result.message;
  const program::Program& p = result.program;
  EXPECT_EQ(p.target, "test@1");
  ASSERT_EQ(p.ops.size(), 1u);
  EXPECT_EQ(p.ops[0].name, "conv");
  const auto& conv = std::get<program::Conv>(p.ops[0].body);
  EXPECT_EQ(conv.window.stride_h, 2);
  EXPECT_EQ(conv.window.stride_w, 1);
  EXPECT_EQ(conv.groups, 2);
  EXPECT_EQ(conv.weight(0, 17), -7);
  EXPECT_EQ(conv.requant.rule, Rule::gemmlowp2);
  EXPECT_EQ(conv.requant.shift, std::vector<int32_t>(6, 33));  // one entry, repeated
  EXPECT_EQ(p.tensors[1].zero_point, 20);
}

TEST(Load, RefusesBadFrames) {
  expect_all_refused<FrameSpec>({
      {"LBP1", [](FrameSpec& f) { f.p.magic = "LBP2"; }},
      {"version", [](FrameSpec& f) { f.p.version = 2; }},
      {"the header says", [](FrameSpec& f) { f.p.total_more = 4; }},
      {"must ascend", [](FrameSpec& f) { f.p.facts = {{"b", ""}, {"a", ""}}; }},
      {"must ascend", [](FrameSpec& f) { f.p.facts = {{"a", ""}, {"a", ""}}; }},
      {"two tensors", [](FrameSpec& f) { f.p.tensors[1].name = "x"; }},
      {"type must be in [0, 3]", [](FrameSpec& f) { f.p.tensors[0].type = 4; }},
      {"height must be in", [](FrameSpec& f) { f.p.tensors[0].height = 0; }},
      {"width must be in", [](FrameSpec& f) { f.p.tensors[0].width = 65537; }},
      {"channel count must be in", [](FrameSpec& f) { f.p.tensors[0].channels = 0; }},
      {"2^28", [](FrameSpec& f) { f.p.tensors[0].height = f.p.tensors[0].width = 65536; }},
      {"zero point must be", [](FrameSpec& f) { f.p.tensors[0].zero_point = 256; }},
      {"zero point must be", [](FrameSpec& f) { f.p.tensors[0].zero_point = -1; }},
      {"scale must be", [](FrameSpec& f) { f.p.tensors[0].scale = 0; }},
      {"scale must be", [](FrameSpec& f) { f.p.tensors[0].scale = -1; }},
      {"scale must be",
       [](FrameSpec& f) { f.p.tensors[0].scale = std::numeric_limits<float>::infinity(); }},
      {"scale must be",
       [](FrameSpec& f) { f.p.tensors[0].scale = std::numeric_limits<float>::quiet_NaN(); }},
      {"input tensor must be", [](FrameSpec& f) { f.p.input = 6; }},
      {"the input is s32", [](FrameSpec& f) { f.p.tensors[0].type = 3; }},
      {"form must be", [](FrameSpec& f) { f.p.form = 2; }},
      {"rule must be", [](FrameSpec& f) { f.p.rule = 2; }},
      {"at least one output", [](FrameSpec& f) { f.p.outputs = {}; }},
      {"output tensor must be", [](FrameSpec& f) { f.p.outputs = {6}; }},
      {"opcode must be", [](FrameSpec& f) { f.p.ops[0].opcode = 12; }},
      {"name is taken", [](FrameSpec& f) { f.p.ops[1].name = "mul"; }},
      {"before it is written", [](FrameSpec& f) { f.p.ops[0].inputs = {0, 5}; }},
      {"input tensor must be", [](FrameSpec& f) { f.p.ops[0].inputs = {0, 6}; }},
      {"written already", [](FrameSpec& f) { f.p.ops[1].output = 1; }},
      {"written already", [](FrameSpec& f) { f.p.ops[0].output = 0; }},
      {"it has 1 inputs", [](FrameSpec& f) { f.p.ops[0].inputs = {0}; }},
      {"it has 0 inputs", [](FrameSpec& f) { f.p.ops[1].inputs = {}; }},
      {"it has 2 inputs", [](FrameSpec& f) { f.p.ops[2].inputs = {2, 2}; }},
      {"that it claims", [](FrameSpec& f) { f.p.ops[2].body_bytes_more = 4; }},
      {"longer than the bytes left", [](FrameSpec& f) { f.p.ops[4].body_bytes_more = 4; }},
      {"nothing writes tensor 6", [](FrameSpec& f) { f.p.tensors.push_back({"z", 0, 1, 1, 1}); }},
      {"0 are left", [](FrameSpec& f) { f.p.op_count_more = 1; }},
  });
}

TEST(Load, RefusesTrailingBytes) {
  std::vector<uint8_t> bytes = MixedSpec().program().encode();
  bytes.insert(bytes.end(), 4, 0);
  const auto size = static_cast<uint32_t>(bytes.size());
  std::memcpy(bytes.data() + 8, &size, 4);
  EXPECT_NE(load_bytes(bytes).message.find("follow the last operation"), std::string::npos);
}

TEST(Load, RefusesPaddingOtherThanZero) {
  std::vector<uint8_t> bytes = MixedSpec().program().encode();
  bytes[16 + 4 + 6] = 1;  // "test@1" has 6 bytes
  EXPECT_NE(load_bytes(bytes).message.find("padded"), std::string::npos);
}

TEST(Load, RefusesNamesThatAreNotUtf8) {
  const auto loads = [](const std::string& name) {
    FrameSpec f;
    f.p.tensors[0].name = name;
    return load_bytes(f.p.encode()).ok;
  };
  for (const char* name : {"x", "", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(loads(name)) << name;
  }
  for (const char* name :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2x", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe1\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(loads(name)) << name;
  }
}

TEST(Load, RefusesMisalignedBytes) {
  std::vector<uint8_t> bytes = MixedSpec().program().encode();
  bytes.insert(bytes.begin(), 0);
  EXPECT_FALSE(load(bytes.data() + 1, bytes.size() - 1).ok);
}

TEST(Load, RefusesBadConvolutions) {
  expect_all_refused<ConvSpec>({
      {"kernel side must be", [](ConvSpec& c) { c.window[0] = 0; }},
      {"stride must be", [](ConvSpec& c) { c.window[3] = 0; }},
      {"dilation must be", [](ConvSpec& c) { c.window[4] = 0; }},
      {"pad must be", [](ConvSpec& c) { c.window[6] = 65537; }},
      {"its output should be", [](ConvSpec& c) { c.window[6] = 3; }},
      {"its output should be", [](ConvSpec& c) { c.window[0] = 9; }},
      {"groups must be", [](ConvSpec& c) { c.groups = 0; }},
      {"groups must divide", [](ConvSpec& c) { c.groups = 4; }},
      {"number of weights", [](ConvSpec& c) { c.weights.pop_back(); }},
      {"number of weights", [](ConvSpec& c) { c.weights.resize(6 * 9); }},
      {"weight type must be", [](ConvSpec& c) { c.weight_type = 3; }},
      {"one bias per", [](ConvSpec& c) { c.bias.pop_back(); }},
      {"one bias per", [](ConvSpec& c) { c.bias = {1}; }},
      {"weight zero points must have", [](ConvSpec& c) { c.zero_points = {0, 0}; }},
      {"weight zero point must be", [](ConvSpec& c) { c.zero_points = {128}; }},
      {"accumulator bits", [](ConvSpec& c) { c.accumulator[0] = 15; }},
      {"accumulator bits", [](ConvSpec& c) { c.accumulator[0] = 65; }},
      {"overflow must be", [](ConvSpec& c) { c.accumulator[1] = 4; }},
      {"time of overflow", [](ConvSpec& c) { c.accumulator[2] = 2; }},
      {"kind of products", [](ConvSpec& c) { c.accumulator[3] = 2; }},
      {"biasFirst", [](ConvSpec& c) { c.accumulator[4] = 2; }},
      {"satPairs16 needs",
       [](ConvSpec& c) {
         c.accumulator[3] = 1;
         c.accumulator[2] = 0;
       }},
      {"satPairs16 needs",
       [](ConvSpec& c) {
         c.accumulator[3] = 1;
         c.zero_points = {1};
       }},
      {"satPairs16 needs",
       [](ConvSpec& c) {
         c.accumulator[3] = 1;
         c.in.type = 1;
       }},
      {"output must be s32", [](ConvSpec& c) { c.requant.kind = 0; }},
      {"requantization must be", [](ConvSpec& c) { c.requant.kind = 7; }},
      {"rule must be in [0, 10]", [](ConvSpec& c) { c.requant.rule = 11; }},
      {"rule must be in [0, 8]",
       [](ConvSpec& c) {
         c.accumulator[0] = 33;
         c.requant.rule = 9;
       }},
      {"multipliers must have", [](ConvSpec& c) { c.requant.multiplier = {1, 2}; }},
      {"multipliers must have", [](ConvSpec& c) { c.requant.multiplier = {}; }},
      {"multiplier must be", [](ConvSpec& c) { c.requant.multiplier = {-1}; }},
      {"shift must be in [1, 62]", [](ConvSpec& c) { c.requant.shift = {0}; }},
      {"shift must be in [1, 62]", [](ConvSpec& c) { c.requant.shift = {63}; }},
      {"scale must be",
       [](ConvSpec& c) {
         c.requant.kind = 2;
         c.requant.scale = {0};
       }},
      {"rule must be in [0, 8]",
       [](ConvSpec& c) {
         c.requant.kind = 3;
         c.requant.rule = 9;
       }},
      {"shift must be in [-31, 62]",
       [](ConvSpec& c) {
         c.requant.kind = 3;
         c.requant.signed_shift = {-32};
       }},
      {"lower bounds must have", [](ConvSpec& c) { c.clamp.lo = {0, 0}; }},
      {"upper bounds must have", [](ConvSpec& c) { c.clamp.hi = {}; }},
      {"lower bound must be", [](ConvSpec& c) { c.clamp.lo = {-1}; }},
      {"upper bound must be", [](ConvSpec& c) { c.clamp.hi = {256}; }},
      {"above its upper",
       [](ConvSpec& c) {
         c.clamp.lo = {0, 0, 0, 5, 0, 0};
         c.clamp.hi = {4};
       }},
  });
}

// A sum beyond 63 bits needs 2^30 terms, a file of 2 GB, so what is tried is the other side: the
// greatest products that there are do not make a small layer suspect.
TEST(Load, TakesTheGreatestProducts) {
  ConvSpec spec;
  spec.in.type = 2;
  spec.in.zero_point = INT16_MAX;
  spec.weight_type = 2;
  spec.weights_s16.assign(6 * 9 * 2, INT16_MIN);
  spec.zero_points = {INT16_MAX};
  spec.bias.assign(6, INT32_MIN);
  spec.accumulator[0] = 64;
  EXPECT_TRUE(load_bytes(spec.program().encode()).ok);
}

TEST(Load, RefusesBadAdds) {
  expect_all_refused<AddSpec>({
      {"its output should be", [](AddSpec& a) { a.out.width = 4; }},
      {"output must not be s32", [](AddSpec& a) { a.out.type = 3; }},
      {"form must be", [](AddSpec& a) { a.form = 5; }},
      {"leftShift must be", [](AddSpec& a) { a.left_shift = 31; }},
      {"multiplier must be", [](AddSpec& a) { a.multiplier_b = -1; }},
      {"shift must be", [](AddSpec& a) { a.shift_out = 0; }},
      {"rule must be", [](AddSpec& a) { a.rule = 11; }},
      {"shifted operand leaves", [](AddSpec& a) { a.left_shift = 24; }},
      {"sum of the rescaled", [](AddSpec& a) { a.shift_a = 1; }},
      {"shift must be",
       [](AddSpec& a) {
         a.form = 1;
         a.shift_a = 63;
       }},
      {"rule must be",
       [](AddSpec& a) {
         a.form = 1;
         a.rule = 9;
       }},
      {"order must be",
       [](AddSpec& a) {
         a.form = 2;
         a.order = 3;
       }},
      {"scaleB must be",
       [](AddSpec& a) {
         a.form = 2;
         a.scale_b = 0;
       }},
      {"scaleOut must be in [2^-64",
       [](AddSpec& a) {
         a.form = 2;
         a.scale_out = 1e-20f;
       }},
      {"lower bounds must have", [](AddSpec& a) { a.clamp.lo = std::vector<int32_t>(4, 0); }},
      {"multiplier must be",
       [](AddSpec& a) {
         a.form = 3;
         a.weight_b = -1;
       }},
      {"weighted sum leaves 32 bits",
       [](AddSpec& a) {
         a.form = 3;
         a.weight_a = INT32_MAX;
       }},
      {"weighted sum leaves 32 bits",  // downward only: each operand by itself stays inside
       [](AddSpec& a) {
         a.form = 3;
         a.a.zero_point = a.b.zero_point = 127;
         a.weight_a = a.weight_b = 5000000;
       }},
      {"output must be s32",
       [](AddSpec& a) {
         a.form = 3;
         a.requant.kind = 0;
       }},
      {"must have 1 or 1 entries",
       [](AddSpec& a) {
         a.form = 3;
         a.requant.multiplier = {1, 1, 1, 1};
       }},
      {"a value may leave 2^62",
       [](AddSpec& a) {
         a.form = 3;
         a.requant.kind = 4;
         a.requant.stages = {stage_multiply({INT32_MAX}), stage_multiply({INT32_MAX})};
       }},
  });
  AddSpec wide;  // the second input differs in shape from the first
  ProgramSpec p = wide.program();
  p.tensors[1].channels = 5;
  EXPECT_FALSE(load_bytes(p.encode()).ok);
}

TEST(Load, RefusesBadPools) {
  const auto average = [](const PoolSpec& s) { return s.average().encode(); };
  const auto max = [](const PoolSpec& s) { return s.max().encode(); };
  const std::vector<Case<PoolSpec>> both = {
      {"its output should be", [](PoolSpec& s) { s.out.channels = 4; }},
      {"types and zero points", [](PoolSpec& s) { s.out.zero_point = 8; }},
      {"window holds no pixel",
       [](PoolSpec& s) {
         s.window = {3, 3, 2, 2, 3, 1, 0, 1};
         s.out.height = 3;
       }},
      {"window holds no pixel",
       [](PoolSpec& s) {
         s.window = {1, 3, 3, 2, 0, 1, 2, 1};
         s.out.height = 3;
       }},
      {"upper bound must be", [](PoolSpec& s) { s.clamp.hi = {256}; }},
  };
  for (const Case<PoolSpec>& c : both) {
    expect_refused<PoolSpec>(c.words, c.change, average);
    expect_refused<PoolSpec>(c.words, c.change, max);
  }
  const std::vector<Case<PoolSpec>> averages = {
      {"form must be", [](PoolSpec& s) { s.form = 3; }},
      {"rule must be in [0, 2]", [](PoolSpec& s) { s.rule = 3; }},
      {"a sum leaves 32 bits",
       [](PoolSpec& s) {
         s.form = 1;
         s.window = {65535, 65535, 1, 1, 65531, 65531, 65531, 65531};
         s.out.height = s.out.width = 65533;
         s.in.channels = s.out.channels = 1;
       }},
  };
  expect_refused<PoolSpec>(
      "scaleIn must be in [2^-64, 2^64]",
      [](PoolSpec& s) {
        s.form = 2;
        s.scale_in = 0x1p65f;
      },
      average);
  expect_refused<PoolSpec>(
      "scaleOut must be positive",
      [](PoolSpec& s) {
        s.form = 2;
        s.scale_out = std::numeric_limits<float>::quiet_NaN();
      },
      average);
  expect_refused<PoolSpec>(averages[0].words, averages[0].change, average);
  expect_refused<PoolSpec>(averages[1].words, averages[1].change, average);
  expect_refused<PoolSpec>("2^28", averages[2].change, average);
  // Within 2^28 output codes: a kernel of 65535 x 9000 over a small image.
  expect_refused<PoolSpec>(
      "a sum leaves 32 bits",
      [](PoolSpec& s) {
        s.form = 1;
        s.window = {65535, 65535, 1, 1, 65530, 65530, 1, 1};
        s.out.height = s.out.width = 2;
      },
      average);
}

TEST(Load, RefusesBadSoftmaxes) {
  expect_all_refused<SoftmaxSpec>({
      {"must have 8 bits", [](SoftmaxSpec& s) { s.in.type = 2; }},
      {"must have 8 bits", [](SoftmaxSpec& s) { s.out.type = 2; }},
      {"its output should be", [](SoftmaxSpec& s) { s.out.channels = 9; }},
      {"form must be", [](SoftmaxSpec& s) { s.form = 3; }},
      {"multiplier must be", [](SoftmaxSpec& s) { s.multiplier = -1; }},
      {"leftShift must be", [](SoftmaxSpec& s) { s.left_shift = 32; }},
      {"diffMin must be in [-248, 0]", [](SoftmaxSpec& s) { s.diff_min = -249; }},
      {"diffMin must be", [](SoftmaxSpec& s) { s.diff_min = 1; }},
      {"4095 channels", [](SoftmaxSpec& s) { s.in.channels = s.out.channels = 4096; }},
      {"256 entries",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.table.pop_back();
       }},
      {"table entry must be",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.table[3] = -1;
       }},
      {"table entry must be",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.table[255] = std::numeric_limits<float>::quiet_NaN();
       }},
      {"first table entry",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.table[0] = 0;
       }},
      {"outputScale must be",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.output_scale = 1e30f;
       }},
      {"rule must be",
       [](SoftmaxSpec& s) {
         s.form = 1;
         s.rule = 2;
       }},
  });
}

TEST(Load, RefusesBadMoves) {
  expect_all_refused<MixedSpec>({
      {"its output should be", [](MixedSpec& m) { m.more[0].channels = 5; }},
      {"its output should be", [](MixedSpec& m) { m.more[1].channels = 7; }},
      {"types and zero points", [](MixedSpec& m) { m.more[1].zero_point = 4; }},
      {"its output should be", [](MixedSpec& m) { m.pads[0] = 1; }},
      {"pad must be", [](MixedSpec& m) { m.pads[3] = 65537; }},
      {"types and zero points", [](MixedSpec& m) { m.more[2].type = 1; }},
      {"another number of codes", [](MixedSpec& m) { m.more[3].channels = 119; }},
      {"256 entries", [](MixedSpec& m) { m.table.pop_back(); }},
      {"table entry must be", [](MixedSpec& m) { m.table[5] = -32769; }},
      {"multiplier must be", [](MixedSpec& m) { m.requant.multiplier = {-5}; }},
  });
  MixedSpec s16;  // 65535 * 65535 leaves 32 bits
  s16.x.type = s16.more[0].type = s16.more[1].type = s16.more[2].type = s16.more[3].type = 2;
  ProgramSpec p = s16.program();
  for (TensorSpec& t : p.tensors) t.zero_point = -32768;
  EXPECT_NE(load_bytes(p.encode()).message.find("a product leaves 32 bits"), std::string::npos);
  ProgramSpec s32 = MixedSpec().program();
  s32.tensors[1].type = 3;
  EXPECT_FALSE(load_bytes(s32.encode()).ok);
}

// All valid programs of this file.
std::vector<std::vector<uint8_t>> valid_programs() {
  ConvSpec pairs, ordered, s16;
  pairs.accumulator = {32, 0, 1, 1, 0};
  ordered.accumulator = {18, 3, 0, 0, 1};
  s16.weight_type = 2;
  s16.weights_s16.assign(6 * 9 * 2, 300);
  s16.in.type = 2;
  s16.accumulator[0] = 40;
  s16.requant.kind = 3;
  AddSpec aligned, f32;
  aligned.form = 1;
  aligned.rule = 3;
  f32.form = 2;
  PoolSpec sums;
  sums.form = 1;
  SoftmaxSpec table;
  table.form = 1;
  ConvSpec staged, rounded;
  staged.requant.kind = rounded.requant.kind = 4;
  staged.requant.stages = all_stages();
  rounded.requant.kind = 5;
  AddSpec weighted;
  weighted.form = 3;
  weighted.requant = staged.requant;
  PoolSpec window, staged_sums;
  window.form = 2;
  staged_sums.form = 1;
  staged_sums.requant = staged.requant;
  return {staged.program().encode(),      rounded.program().encode(),
          weighted.program().encode(),    window.average().encode(),
          staged_sums.average().encode(), ConvSpec().program().encode(),
          pairs.program().encode(),       ordered.program().encode(),
          s16.program().encode(),         AddSpec().program().encode(),
          aligned.program().encode(),     f32.program().encode(),
          PoolSpec().average().encode(),  sums.average().encode(),
          PoolSpec().max().encode(),      SoftmaxSpec().program().encode(),
          table.program().encode(),       MixedSpec().program().encode()};
}

TEST(Load, RefusesEveryTruncation) {
  for (const std::vector<uint8_t>& whole : valid_programs()) {
    ASSERT_TRUE(load_bytes(whole).ok) << load_bytes(whole).message;
    for (size_t size = 0; size < whole.size(); ++size) {
      std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      EXPECT_FALSE(load_bytes(part).ok);
      if (size < 12) continue;
      const auto total = static_cast<uint32_t>(size);  // with an honest header
      std::memcpy(part.data() + 8, &total, 4);
      EXPECT_FALSE(load_bytes(part).ok);
    }
  }
}

// Runs what was accepted, if it is small: "after a successful load a run cannot fail".
void run_if_small(LoadResult result) {
  size_t codes = 0, work = 0;
  for (const program::Tensor& t : result.program.tensors) codes += t.codes();
  for (const program::Op& op : result.program.ops) {
    const size_t out = result.program.tensors[op.output].codes();
    const auto* conv = std::get_if<program::Conv>(&op.body);
    const auto* pool = std::get_if<program::AveragePool>(&op.body);
    if (conv != nullptr) work += out * conv->reduction();
    if (pool != nullptr) work += out * static_cast<size_t>(pool->window.kernel_h);
  }
  if (codes > 100000 || work > 1000000) return;
  const program::Tensor input = result.program.tensors[result.program.input];
  std::vector<uint8_t> codes_in(input.bytes());
  for (size_t i = 0; i < codes_in.size(); ++i) codes_in[i] = static_cast<uint8_t>(i * 37 + 11);
  exec::EngineOptions options;
  options.steps.cpu_flags = cpu::detect();
  exec::Engine engine(std::move(result.program), options);
  std::vector<std::vector<uint8_t>> taps;
  exec::Job job;
  job.input.codes = codes_in.data();
  const auto& tensors = engine.model().program().tensors;
  for (uint32_t i = 0; i < tensors.size(); ++i) {
    taps.emplace_back(tensors[i].bytes());
    job.copies.push_back({i, taps.back().data()});
  }
  engine.run(job);
}

TEST(Load, SurvivesRandomMutations) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::vector<std::vector<uint8_t>> programs = valid_programs();
  const uint32_t interesting[] = {0,          1,          2,          0x7f,      0x80,   0xff,
                                  0x7fffffff, 0x80000000, 0xffffffff, 0x10000,   0x8000, 65536,
                                  0x40000000, 0x3fffffff, 0xfffffffe, 0x7f800000};
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes = programs[random() % programs.size()];
    for (uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      const size_t word = random() % (bytes.size() / 4) * 4;
      if (random() % 2 == 0) {
        bytes[word + random() % 4] = static_cast<uint8_t>(random());
      } else {
        const uint32_t value = interesting[random() % std::size(interesting)];
        std::memcpy(bytes.data() + word, &value, 4);
      }
    }
    LoadResult result = load_bytes(bytes);
    if (!result.ok) continue;
    ++accepted;
    run_if_small(std::move(result));
  }
  EXPECT_GT(accepted, 500);  // else the runs prove little
}

}  // namespace
}  // namespace lastbit::test
