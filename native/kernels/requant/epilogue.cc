// SPDX-License-Identifier: Apache-2.0
#include "kernels/requant/epilogue.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/requant/finish.h"
#include "kernels/requant/ladder.h"
#include "numeric/requant.h"
#include "numeric/saturate.h"
#include "program/ranges.h"

namespace lastbit {
namespace {

using program::Range;
using program::RequantKind;

// What an int32 accumulator can hold. Beyond int32 it wraps (conv.h admits nothing else), and then
// it can be anything.
Range int32_range(const Range& range) {
  if (!fits_bits(range.min, 32) || !fits_bits(range.max, 32)) return {INT32_MIN, INT32_MAX};
  return range;
}

int64_t magnitude(const Range& range) { return std::max(-range.min, range.max); }

// Whether R of the rule is one number for all accumulators whose result the clamp lets through.
// A rule that looks at the sign uses its R for x >= 0 then: a negative p gives (p + R) >> s <= 0,
// since every R is below 2^s, and the exact result is <= 0 too, so both end at lo >= zero point.
bool constant_addend(Rule rule, int shift, const Range& range, bool positive_only) {
  switch (rule) {
    case Rule::floor:
    case Rule::ceil:
    case Rule::half_up:
    case Rule::half_down:
    case Rule::ruyx86:
      return true;
    case Rule::gemmlowp2:
      return shift <= 31 || positive_only || range.min >= 0;
    case Rule::trunc0:
    case Rule::half_away:
    case Rule::half_to_zero:
      return positive_only || range.min >= 0;
    case Rule::half_even:
    case Rule::half_odd:
      return false;
  }
  return false;
}

// half_up for a rule that differs from it on ties only, if no accumulator of the range can hit one.
// A tie is x * m = 2^(s-1) modulo 2^s; with m = odd * 2^t it needs 2^(s-1-t) to divide x, which
// only 0 satisfies below that, and 0 is no tie. Multipliers of real scales have few factors of 2.
Rule without_ties(Rule rule, int32_t multiplier, int shift, const Range& range) {
  switch (rule) {
    case Rule::half_down:
    case Rule::half_away:
    case Rule::half_to_zero:
    case Rule::half_even:
    case Rule::half_odd:
      break;
    default:
      return rule;
  }
  int divisor = shift - 1;
  for (int32_t m = multiplier; m != 0 && m % 2 == 0; m /= 2) --divisor;
  const bool tie = multiplier != 0 && (divisor <= 0 || magnitude(range) >> divisor != 0);
  return tie ? rule : Rule::half_up;
}

struct Channel {
  Range range;
  bool positive_only;  // lo >= zero point
  int32_t zero_point;  // stored
};

// y = ((x << l) * m + (R + (z << s)) << l) >> (s + l) with s + l >= 32, so that the high dword and
// one 32-bit shift finish it. False if a number could leave its type.
bool make_affine(int32_t multiplier, int shift, Rule rule, const Channel& channel,
                 ChannelFinish* finish) {
  // z << s stays below 2^61, and so does the sum with p < 2^62.
  if (shift < 1 || shift > 52) return false;
  if (!constant_addend(rule, shift, channel.range, channel.positive_only)) return false;
  const int preshift = std::max(0, 32 - shift);
  if (preshift > 0 && magnitude(channel.range) > (INT32_MAX >> preshift)) return false;
  const int64_t addend = fixed_addend<int64_t>(1, 1, shift, rule);
  finish->multiplier = multiplier;
  finish->addend = shifted_left(addend + shifted_left(channel.zero_point, shift), preshift);
  finish->shift = shift + preshift - 32;
  finish->preshift = preshift;
  return true;
}

// gemmlowp2 for both signs. Twice the closed form, 2p + 2^s + 2^31 - (x < 0 ? 2^32 : 0) shifted by
// s + 1: the sign's share is one unit of the high dword. At s = 31 there is no second rounding.
bool make_double_rounding(int32_t multiplier, int shift, const Channel& channel,
                          ChannelFinish* finish) {
  if (shift < 31 || shift > 52 || magnitude(channel.range) > (INT32_MAX >> 1)) return false;
  const int64_t second = shift > 31 ? int64_t{1} << 31 : 0;
  finish->multiplier = multiplier;
  finish->addend = (int64_t{1} << shift) + second + shifted_left(channel.zero_point, shift + 1);
  finish->shift = shift - 31;
  finish->sign = shift > 31 ? -1 : 0;
  return true;
}

// The numbers of a high form: y = (x << p) * m + (addend << p) + ... shifted by s + p, where the
// addend has no low dword, so that only high dwords need adding: h + r, shifted by s + p - 32. |h|
// is at most 2^30, since x << p and m are within int32.
bool make_high(int32_t multiplier, int shift, int64_t addend, int32_t prescale,
               const Channel& channel, ChannelFinish* finish) {
  const int total = shift + prescale;
  if (total < 32 || total > 53) return false;
  if (magnitude(channel.range) > (INT32_MAX >> prescale)) return false;
  const int64_t scaled = addend << prescale;
  if (static_cast<uint32_t>(scaled) != 0) return false;
  const int64_t r = (scaled >> 32) + shifted_left(channel.zero_point, total - 32);
  if (r >= int64_t{1} << 30) return false;
  finish->multiplier = multiplier;
  finish->addend = r;
  finish->shift = total - 32;
  return true;
}

bool make_affine_high(int32_t multiplier, int shift, Rule rule, int32_t prescale,
                      const Channel& channel, ChannelFinish* finish) {
  if (shift < 1 || shift > 52) return false;
  if (!constant_addend(rule, shift, channel.range, channel.positive_only)) return false;
  return make_high(multiplier, shift, fixed_addend<int64_t>(1, 1, shift, rule), prescale, channel,
                   finish);
}

// As make_double_rounding. The sign of h is that of x unless m is 0; then both addends give 0.
bool make_double_rounding_high(int32_t multiplier, int shift, int32_t prescale,
                               const Channel& channel, ChannelFinish* finish) {
  if (shift < 31 || shift > 52) return false;
  const int64_t first = shift > 31 ? int64_t{1} << 30 : 0;
  if (!make_high(multiplier, shift, (int64_t{1} << (shift - 1)) + first, prescale, channel,
                 finish)) {
    return false;
  }
  finish->sign = static_cast<int32_t>(finish->addend - ((2 * first << prescale) >> 32));
  return true;
}

bool make_shift(int shift, Rule rule, const Channel& channel, ChannelFinish* finish) {
  if (shift < 1 || shift > 30 ||
      !constant_addend(rule, shift, channel.range, channel.positive_only)) {
    return false;
  }
  const int64_t addend =
      rounding_addend<int64_t>(1, shift, rule) + shifted_left(channel.zero_point, shift);
  if (magnitude(channel.range) + addend > INT32_MAX) return false;
  finish->addend = addend;
  finish->shift = shift;
  return true;
}

// vcvtps2dq answers INT32_MIN outside int32, so the product is kept well inside.
bool make_f32(float scale, const Channel& channel, ChannelFinish* finish) {
  if (static_cast<double>(magnitude(channel.range)) * static_cast<double>(scale) > 1e9) {
    return false;
  }
  finish->scale = scale;
  return true;
}

// A shift with ties to even as a float32 product with 2^-s: exact up to 2^24. Beyond, x may lose
// digits, but where x / 2^s is 512 or more even so, its sign decides: the clamp ends at lo or hi.
bool make_even_shift(int shift, const Channel& channel, ChannelFinish* finish) {
  if (shift < 0 || (magnitude(channel.range) > (1 << 24) && shift > 15)) return false;
  return make_f32(std::ldexp(1.0f, -shift), channel, finish);
}

// A channel whose every accumulator ends at one code, whatever the image. Each requantization that
// has a form and the clamp are monotone, so the two ends of the range decide. Channels that a
// trained net has left dead are such: a scale next to nothing and a bias that saturates, hence
// shifts beyond what the forms below take, which would send the whole layer to the slow form.
bool make_constant(const program::Requant& requant, size_t oc, const Channel& channel,
                   ChannelFinish* finish) {
  const auto code = [&](int64_t acc) {
    const Int128 y = requantized(requant, oc, acc) + channel.zero_point;
    return std::min<Int128>(std::max<Int128>(y, finish->lo), finish->hi);
  };
  const Int128 least = code(channel.range.min);
  if (least != code(channel.range.max)) return false;
  finish->lo = finish->hi = static_cast<uint8_t>(least);
  return true;
}

// A bare shift is also a multiplication by 2^30 and a shift by 30 more: the same quotient, so the
// same rounding. It serves shifts of 0, left shifts and large ones.
bool make(Form form, int32_t prescale, const program::Requant& requant, size_t oc,
          const Channel& channel, ChannelFinish* finish) {
  const bool fixed = requant.kind == RequantKind::fixed;
  switch (form) {
    case Form::affine:
    case Form::affine_preshift:
    case Form::affine_high: {
      if (requant.kind == RequantKind::f32) return false;
      const int shift = program::of_channel(requant.shift, oc) + (fixed ? 0 : 30);
      const int32_t multiplier = fixed ? program::of_channel(requant.multiplier, oc) : 1 << 30;
      const Rule rule = without_ties(requant.rule, multiplier, shift, channel.range);
      if (form == Form::affine_high) {
        return make_affine_high(multiplier, shift, rule, prescale, channel, finish);
      }
      return make_affine(multiplier, shift, rule, channel, finish) &&
             (form == Form::affine_preshift || finish->preshift == 0);
    }
    case Form::double_rounding:
      return fixed && requant.rule == Rule::gemmlowp2 &&
             make_double_rounding(program::of_channel(requant.multiplier, oc),
                                  program::of_channel(requant.shift, oc), channel, finish);
    case Form::double_rounding_high:
      return fixed && requant.rule == Rule::gemmlowp2 &&
             make_double_rounding_high(program::of_channel(requant.multiplier, oc),
                                       program::of_channel(requant.shift, oc), prescale, channel,
                                       finish);
    case Form::f32:
      if (requant.kind == RequantKind::shift && requant.rule == Rule::half_even) {
        return make_even_shift(program::of_channel(requant.shift, oc), channel, finish);
      }
      return requant.kind == RequantKind::f32 &&
             make_f32(program::of_channel(requant.scale, oc), channel, finish);
    case Form::shift:
      return requant.kind == RequantKind::shift &&
             make_shift(program::of_channel(requant.shift, oc), requant.rule, channel, finish);
    case Form::raw:
      return true;
    case Form::floor_f32:
    case Form::floor_f32_signs:
      break;  // made of others: floor_f32.cc
  }
  return false;
}

bool make_all(Form form, int32_t prescale, const program::Requant& requant,
              const std::vector<Channel>& channels, std::vector<ChannelFinish>* finishes) {
  for (size_t oc = 0; oc < channels.size(); ++oc) {
    ChannelFinish finish;
    finish.lo = (*finishes)[oc].lo;
    finish.hi = (*finishes)[oc].hi;
    finish.range = channels[oc].range;
    // With lo = hi the numbers before the clamp, all 0 here, do not matter.
    if (!make_constant(requant, oc, channels[oc], &finish) &&
        !make(form, prescale, requant, oc, channels[oc], &finish)) {
      return false;
    }
    (*finishes)[oc] = finish;
  }
  return true;
}

// One channel's ladder, moved by `offset`, as y = (x * m + R) >> s; the clamp cuts off its ends.
bool make_ladder(const program::StageThresholds& stage, size_t oc, int64_t offset,
                 const Channel& channel, ChannelFinish* finish) {
  const bool shared = stage.values.size() == stage.count;
  const auto ladder = fit_ladder(stage.values.data() + (shared ? 0 : oc * stage.count), stage.count,
                                 stage.strict, channel.range);
  if (!ladder) return false;
  const int64_t least = ladder->below + offset + channel.zero_point;
  const int64_t lo = finish->lo, hi = finish->hi;
  finish->lo = static_cast<uint8_t>(clamp_to(least, lo, hi));
  finish->hi = static_cast<uint8_t>(clamp_to(least + ladder->steps, lo, hi));
  if (std::abs(least) >= 512) return finish->lo == finish->hi;  // constant
  const int64_t addend = ladder->addend + shifted_left(least, ladder->shift);
  if (std::abs(addend) >> 61 != 0) return false;
  finish->multiplier = ladder->multiplier;
  finish->addend = addend;
  finish->shift = ladder->shift - 32;
  return true;
}

// Thresholds alone or with one number added to their count: FINN's layers. False if some channel's
// fit no line; stages need not even be monotone.
bool make_ladders(const std::vector<program::Stage>& stages, const std::vector<Channel>& channels,
                  std::vector<ChannelFinish>* finishes) {
  const auto* thresholds = std::get_if<program::StageThresholds>(&stages[0]);
  const auto* add = stages.size() == 2 ? std::get_if<program::StageAdd>(&stages[1]) : nullptr;
  if (thresholds == nullptr || (stages.size() > 1 && add == nullptr)) return false;
  std::vector<ChannelFinish> made = *finishes;
  for (size_t oc = 0; oc < channels.size(); ++oc) {
    const int64_t offset = add == nullptr ? 0 : program::of_channel(add->value, oc);
    if (!make_ladder(*thresholds, oc, offset, channels[oc], &made[oc])) return false;
  }
  *finishes = std::move(made);
  return true;
}

void put(int32_t* slot, int32_t lane, int32_t value) { slot[lane] = value; }
void put(int32_t* slot, int32_t lane, float value) {
  std::memcpy(slot + lane, &value, sizeof value);
}

// The two vectors of 64-bit numbers that go with one of 32-bit lanes: its even and odd lanes for
// x86, whose widening multiplication takes those, its two halves for arm64.
void put64(int32_t* first, int32_t* second, int32_t lane, int64_t value) {
#if defined(__aarch64__)
  int32_t* slot = (lane < 2 ? first : second) + lane % 2 * 2;
#else
  int32_t* slot = (lane % 2 == 0 ? first : second) + lane / 2 * 2;
#endif
  std::memcpy(slot, &value, sizeof value);
}

}  // namespace

Epilogue plan_epilogue(const program::Requant& requant, const std::vector<Range>& ranges,
                       const program::Clamp& clamp, const program::Tensor& output,
                       int32_t most_prescale) {
  const int32_t offset = program::stored_offset(output.type);
  Epilogue epilogue;
  epilogue.zero_point = output.zero_point + offset;
  epilogue.channels.resize(ranges.size());
  std::vector<Channel> channels(ranges.size());
  for (size_t oc = 0; oc < ranges.size(); ++oc) {
    const int32_t lo = program::of_channel(clamp.lo, oc), hi = program::of_channel(clamp.hi, oc);
    channels[oc] = {ranges[oc], lo >= output.zero_point, epilogue.zero_point};
    epilogue.channels[oc].lo = static_cast<uint8_t>(lo + offset);
    epilogue.channels[oc].hi = static_cast<uint8_t>(hi + offset);
    epilogue.channels[oc].range = ranges[oc];
  }
  if (requant.kind == RequantKind::stages) {
    if (make_ladders(requant.stages, channels, &epilogue.channels)) epilogue.form = Form::affine;
    return epilogue;
  }
  // No form of their own.
  if (requant.kind == RequantKind::f32_rule || requant.kind == RequantKind::f64) return epilogue;
  // Cheapest first.
  constexpr std::pair<Form, int32_t> forms[] = {
      {Form::shift, 0},           {Form::f32, 0},
      {Form::affine_high, 0},     {Form::affine_high, 1},
      {Form::affine_high, 2},     {Form::affine, 0},
      {Form::affine_preshift, 0}, {Form::double_rounding_high, 2},
      {Form::double_rounding, 0}, {Form::raw, 0}};
  for (const auto& [form, prescale] : forms) {
    if (is_high(form) && prescale > most_prescale) continue;
    if (make_all(form, prescale, requant, channels, &epilogue.channels)) {
      epilogue.form = form;
      epilogue.prescale = prescale;
      break;
    }
  }
  return epilogue;
}

std::vector<Range> int32_ranges(const std::vector<Range>& accumulators) {
  std::vector<Range> ranges;
  for (const Range& range : accumulators) ranges.push_back(int32_range(range));
  return ranges;
}

void pack_parameters(const Epilogue& epilogue, const int32_t* order, int32_t lanes,
                     int32_t* parameters) {
  const auto slot = [&](int i) { return parameters + i * lanes; };
  for (int32_t lane = 0; lane < lanes; ++lane) {
    const ChannelFinish none;
    const ChannelFinish& c =
        order[lane] < 0 ? none : epilogue.channels[static_cast<size_t>(order[lane])];
    switch (epilogue.form) {
      case Form::affine_preshift:
        put(slot(5), lane, c.preshift);
        [[fallthrough]];
      case Form::double_rounding:
        if (epilogue.form == Form::double_rounding) put(slot(5), lane, c.sign);
        [[fallthrough]];
      case Form::affine:
        put64(slot(0), slot(1), lane, c.multiplier);
        put64(slot(2), slot(3), lane, c.addend);
        put(slot(4), lane, c.shift);
        break;
      case Form::double_rounding_high:
        put(slot(4), crossed(lane), c.sign);
        [[fallthrough]];
      case Form::affine_high:
        put64(slot(0), slot(1), lane, c.multiplier);
        put(slot(2), crossed(lane), static_cast<int32_t>(c.addend));
        put(slot(3), crossed(lane), c.shift);
        break;
      case Form::f32:
        put(slot(0), lane, c.scale);
        put(slot(1), lane, epilogue.zero_point);
        break;
      case Form::shift:
        put(slot(0), lane, static_cast<int32_t>(c.addend));
        put(slot(1), lane, c.shift);
        break;
      case Form::raw:
        break;
      case Form::floor_f32_signs:
        put(slot(3), lane, c.offset[1]);
        put(slot(4), lane, c.origin);
        [[fallthrough]];
      case Form::floor_f32:
        put(slot(0), lane, c.factor[0]);
        put(slot(1), lane, c.factor[1]);
        put(slot(2), lane, c.offset[0]);
        break;
    }
  }
}

}  // namespace lastbit
