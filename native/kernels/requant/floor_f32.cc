// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/floor_f32.h"

#include <algorithm>
#include <cmath>

namespace lastbit {
namespace {

constexpr int64_t exact_f32 = int64_t{1} << 24;  // integers up to here are float32 numbers

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The least x that step i lies at.
int64_t step_at(const Steps& s, int32_t i) {
  return -floor_divide(s.addend - (int64_t{i} << s.shift), s.multiplier);
}

// a = multiplier / 2^shift in two float32 numbers, neither negative: the function cannot decrease.
void split_factor(int64_t multiplier, int32_t shift, float* factor) {
  int64_t rest = 0;
  for (int64_t unit = 1; multiplier >= exact_f32 * unit; unit *= 2) rest = multiplier % (2 * unit);
  factor[0] = std::ldexp(static_cast<float>(multiplier - rest), -shift);
  factor[1] = std::ldexp(static_cast<float>(rest), -shift);
}

// q that leaves |b| at half a step of x at most.
int64_t origin_of(const Steps& s) {
  return floor_divide(s.addend + s.multiplier / 2, s.multiplier);
}

// Whether no accumulator leaves int32 with its origin, nor its code.
bool fits(const Steps& s, int64_t origin, const program::Range& range) {
  const int64_t least = range.min + origin, greatest = range.max + origin;
  if (least < INT32_MIN || greatest > INT32_MAX) return false;
  const auto most = static_cast<double>(std::max(-least, greatest));
  return std::ldexp(most * static_cast<double>(s.multiplier), -s.shift) < 1e9;
}

bool convert(const Steps& positive, const Steps* negative, RemaindersOf remainders_of,
             ChannelFinish* c) {
  if (positive.multiplier <= 0) return false;
  split_factor(positive.multiplier, positive.shift, c->factor);
  const int64_t origin = origin_of(positive);
  if (!fits(positive, origin, c->range)) return false;
  c->origin = static_cast<int32_t>(origin);
  return prove_floor_f32(positive, origin, c->factor[1], &c->offset[0], remainders_of) &&
         (negative == nullptr ||
          prove_floor_f32(*negative, origin, c->factor[1], &c->offset[1], remainders_of));
}

bool convert_within_clamp(Form form, RemaindersOf remainders_of, ChannelFinish* c) {
  if (c->lo == c->hi) return true;  // the clamp decides; all 0 then
  if (form == Form::double_rounding) {
    // Half of 2p + addend - (x < 0 ? 2^32 : 0), shifted by one less.
    const Steps positive{c->multiplier, c->addend / 2, c->shift + 31, c->lo, c->hi};
    Steps negative = positive;
    negative.addend += int64_t{c->sign} * (int64_t{1} << 31);
    return convert(positive, &negative, remainders_of, c);
  }
  const Steps steps{c->multiplier, c->addend >> c->preshift, c->shift + 32 - c->preshift, c->lo,
                    c->hi};
  return convert(steps, nullptr, remainders_of, c);
}

// A clamp to the codes that the channel can reach: one or two of them where a trained net has left
// it nearly dead, with a scale so small that its other steps are beyond 2^24.
void narrow_clamp(Form form, ChannelFinish* c) {
  const bool twice = form == Form::double_rounding;
  const auto code = [&](int64_t x, int64_t second) {
    const int64_t p = (x * c->multiplier) * (int64_t{1} << (twice ? 1 : c->preshift));
    const int64_t y = (p + c->addend + second) >> (c->shift + 32);
    return static_cast<uint8_t>(std::clamp<int64_t>(y, c->lo, c->hi));
  };
  const uint8_t least = code(c->range.min, twice ? int64_t{c->sign} * (int64_t{1} << 32) : 0);
  const uint8_t greatest = code(c->range.max, 0);
  c->lo = least;
  c->hi = greatest;
}

bool convert(Form form, RemaindersOf remainders_of, ChannelFinish* c) {
  if (convert_within_clamp(form, remainders_of, c)) return true;
  narrow_clamp(form, c);
  return convert_within_clamp(form, remainders_of, c);
}

}  // namespace

Chain first_remainder(const Steps& s) {
  const auto m = static_cast<int32_t>(s.multiplier);
  const int64_t r = s.addend - (int64_t{s.lo + 1} << s.shift);
  const auto first = static_cast<int32_t>(r - floor_divide(r, m) * m);
  return {first, static_cast<int32_t>((int64_t{1} << s.shift) % m), m, s.hi - s.lo};
}

Remainders remainders_ref(const Steps& s) {
  auto [r, turn, m, count] = first_remainder(s);
  Remainders all{r, r};
  for (int32_t i = 1; i < count; ++i) {
    r -= turn;
    r += r < 0 ? m : 0;
    all = {std::min(all.least, r), std::max(all.greatest, r)};
  }
  return all;
}

bool prove_floor_f32(const Steps& s, int64_t origin, float factor_rest, float* offset,
                     RemaindersOf remainders_of) {
  *offset = 0;
  if (s.lo >= s.hi) return true;
  const int64_t m = s.multiplier;
  const int64_t reach =
      std::max(std::abs(step_at(s, s.lo + 1) - 1 + origin), std::abs(step_at(s, s.hi) + origin));
  if (reach > exact_f32) return false;
  // With d added to x * m + addend, a step's x stays on its side if least + d >= error, the x
  // before it if greatest + d < m - error.
  const Remainders r = remainders_of(s);
  const int64_t middle = floor_divide(m - r.greatest - r.least, 2);
  const int64_t b = s.addend - origin * m;
  *offset = static_cast<float>(std::ldexp(static_cast<double>(b + middle), -s.shift));
  const double units = std::ldexp(static_cast<double>(*offset), s.shift);
  const double d = units - static_cast<double>(b);
  // Half a unit in the last place of the inner sum, with its rounding's own in hand.
  const double rest = std::ldexp(static_cast<double>(factor_rest), s.shift);
  const double error = std::ldexp(static_cast<double>(reach) * rest + std::abs(units), -24) + 1;
  return r.least + d >= error && r.greatest + d < static_cast<double>(m) - error;
}

bool to_floor_f32(Epilogue* epilogue, RemaindersOf remainders_of) {
  const Form form = epilogue->form;
  if (form != Form::affine && form != Form::affine_preshift && form != Form::double_rounding) {
    return false;
  }
  std::vector<ChannelFinish> channels = epilogue->channels;
  for (ChannelFinish& c : channels) {
    if (!convert(form, remainders_of, &c)) return false;
  }
  epilogue->form = form == Form::double_rounding ? Form::floor_f32_signs : Form::floor_f32;
  epilogue->channels = std::move(channels);
  return true;
}

}  // namespace lastbit
