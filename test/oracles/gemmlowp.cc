// SPDX-License-Identifier: Apache-2.0
// Prints test/golden/gemmlowp/fixed-point.json: values of gemmlowp's own functions, and softmax
// rows computed with them in the order that TensorFlow Lite's reference documents.
//   g++ -O1 -std=c++17 test/oracles/gemmlowp.cc -o /tmp/gemmlowp && /tmp/gemmlowp
// Needs Debian's libgemmlowp-dev (tried with 0.0~git20211220.e844ffd-1); gemmlowp is Apache-2.0.
#include <gemmlowp/fixedpoint/fixedpoint.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using gemmlowp::FixedPoint;
using gemmlowp::RoundingDivideByPOT;
using gemmlowp::SaturatingRoundingDoublingHighMul;
using Q0 = FixedPoint<int32_t, 0>;
using Q5 = FixedPoint<int32_t, 5>;

std::mt19937 engine(20240501);

int32_t any_int32() {
  const int32_t edges[] = {INT32_MIN,     INT32_MIN + 1, -1,      0,         1,
                           INT32_MAX - 1, INT32_MAX,     1 << 30, -(1 << 30)};
  if (engine() % 5 == 0) return edges[engine() % 9];
  return static_cast<int32_t>(engine()) >> (engine() % 24);
}

template <class Row>
void rows(const char* name, int count, bool last, Row row) {
  std::printf("  \"%s\": [\n", name);
  for (int i = 0; i < count; ++i) {
    std::printf("    [");
    const std::vector<int64_t> values = row(i);
    for (size_t k = 0; k < values.size(); ++k) {
      std::printf("%s%lld", k == 0 ? "" : ", ", static_cast<long long>(values[k]));
    }
    std::printf("]%s\n", i + 1 < count ? "," : "");
  }
  std::printf("  ]%s\n", last ? "" : ",");
}

// Codes of one row of softmax: s8 logits, multiplier and left shift as for the reference kernel.
std::vector<int64_t> softmax(const std::vector<int>& logits, int32_t multiplier, int left,
                             int diff_min) {
  const int greatest = *std::max_element(logits.begin(), logits.end());
  const auto power = [&](int logit) {
    const int32_t scaled = (logit - greatest) * (1 << left);
    return gemmlowp::exp_on_negative_values(
        Q5::FromRaw(SaturatingRoundingDoublingHighMul(scaled, multiplier)));
  };
  int32_t sum = 0;
  for (int logit : logits) {
    if (logit - greatest >= diff_min) sum += RoundingDivideByPOT(power(logit).raw(), 12);
  }
  const int zeros = __builtin_clz(static_cast<uint32_t>(sum));
  const auto fraction =
      static_cast<int32_t>((static_cast<uint32_t>(sum) << zeros) - (uint32_t{1} << 31));
  const Q0 reciprocal = gemmlowp::one_over_one_plus_x_for_x_in_0_1(Q0::FromRaw(fraction));
  std::vector<int64_t> codes;
  for (int logit : logits) {
    int64_t code = -128;
    if (logit - greatest >= diff_min) {
      const int32_t share = (reciprocal * power(logit)).raw();
      code = std::clamp(RoundingDivideByPOT(share, 12 - zeros + 31 - 8) - 128, -128, 127);
    }
    codes.push_back(code);
  }
  return codes;
}

}  // namespace

int main() {
  std::printf("{\n  \"provenance\": \"gemmlowp fixedpoint/fixedpoint.h (Debian libgemmlowp-dev ");
  std::printf("0.0~git20211220.e844ffd-1, Apache-2.0), by test/oracles/gemmlowp.cc\",\n");
  rows("highMul", 300, false, [](int) {
    const int32_t a = any_int32(), b = any_int32();
    return std::vector<int64_t>{a, b, SaturatingRoundingDoublingHighMul(a, b)};
  });
  rows("divideByPowerOfTwo", 300, false, [](int) {
    const int32_t a = any_int32();
    const int k = static_cast<int>(engine() % 32);
    return std::vector<int64_t>{a, k, RoundingDivideByPOT(a, k)};
  });
  // Accumulator, multiplier, total right shift, and the double rounding of TensorFlow Lite.
  rows("doubleRounding", 600, false, [](int i) {
    const int32_t a = any_int32() >> (8 + engine() % 16);
    const int32_t m =
        i % 2 == 0 ? 1 << 30 : static_cast<int32_t>((1u << 30) + engine() % (1u << 30));
    const int right = static_cast<int>(i % 4 == 0 ? engine() % 32 : engine() % 8);
    return std::vector<int64_t>{
        a, m, 31 + right, RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(a, m), right)};
  });
  rows("exp", 500, false, [](int i) {
    const int32_t a = i < 8 ? -(i << 24) : -static_cast<int32_t>(engine() >> (1 + engine() % 12));
    return std::vector<int64_t>{a, gemmlowp::exp_on_negative_values(Q5::FromRaw(a)).raw()};
  });
  rows("reciprocal", 300, false, [](int i) {
    const int32_t a = i == 0 ? 0 : i == 1 ? INT32_MAX : static_cast<int32_t>(engine() >> 1);
    return std::vector<int64_t>{a,
                                gemmlowp::one_over_one_plus_x_for_x_in_0_1(Q0::FromRaw(a)).raw()};
  });
  // multiplier, left shift, diff_min, number of logits, logits, codes
  rows("softmax", 60, true, [](int) {
    const int left = 18 + static_cast<int>(engine() % 8);
    const auto multiplier = static_cast<int32_t>((1u << 30) + engine() % (1u << 30));
    const int diff_min = -static_cast<int>((31ll << 26) >> left);
    std::vector<int> logits(1 + engine() % 40);
    for (int& logit : logits) logit = static_cast<int>(engine() % 256) - 128;
    if (engine() % 3 == 0) std::fill(logits.begin(), logits.end(), 5);
    std::vector<int64_t> row{multiplier, left, diff_min, static_cast<int64_t>(logits.size())};
    row.insert(row.end(), logits.begin(), logits.end());
    const std::vector<int64_t> codes = softmax(logits, multiplier, left, diff_min);
    row.insert(row.end(), codes.begin(), codes.end());
    return row;
  });
  std::printf("}\n");
  return 0;
}
