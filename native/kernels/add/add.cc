// SPDX-License-Identifier: Apache-2.0
#include "kernels/add/add.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "cpu.h"
#include "numeric/requant.h"

namespace lastbit {
namespace {

using program::Range;
using program::Tensor;

constexpr size_t entries = 256;

const AddKernel* pick_add([[maybe_unused]] uint32_t cpu_flags) {
#define VARIANT(name, needs) \
  if ((cpu_flags & (needs)) == (needs)) return &name;
#include "kernels/add/variants.inc"
#undef VARIANT
  return nullptr;
}

// What the vectors need of a form: two tables by stored code, and how their sum is finished.
struct Plan {
  int32_t table_a[entries], table_b[entries];
  AddFinish finish = AddFinish::affine;
  Epilogue epilogue;                  // of the int32 finishes
  float divisor = 1, zero_point = 0;  // of f32_divide
  // Of a sum of entries, to codes; and what the rule adds to a value before it rounds to nearest.
  double scale = 1, shift = 0;
};

int32_t code_of(size_t stored, const Tensor& tensor) {
  return static_cast<int32_t>(stored) - program::stored_offset(tensor.type);
}

template <class Entry>
bool tabulate(const Tensor& tensor, Entry entry, int32_t* table, Range* range) {
  *range = {INT64_MAX, INT64_MIN};
  for (size_t i = 0; i < entries; ++i) {
    const Int128 value = entry(code_of(i, tensor));
    if (value < INT32_MIN || value > INT32_MAX) return false;
    table[i] = static_cast<int32_t>(value);
    range->min = std::min<int64_t>(range->min, table[i]);
    range->max = std::max<int64_t>(range->max, table[i]);
  }
  return true;
}

template <class Entry>
void tabulate_f32(const Tensor& tensor, Entry entry, int32_t* table) {
  for (size_t i = 0; i < entries; ++i) {
    const float value = entry(static_cast<float>(code_of(i, tensor)));
    std::memcpy(&table[i], &value, sizeof value);
  }
}

double addend_of(Rule rule) {
  if (rule == Rule::floor) return -0.5;
  return rule == Rule::ceil ? 0.5 : 0;
}

bool finish_int32(const program::Requant& requant, const Range& a, const Range& b,
                  const program::Add& add, const Tensor& output, Plan* plan) {
  const Range sum{a.min + b.min, a.max + b.max};
  if (!fits_bits(sum.min, 32) || !fits_bits(sum.max, 32)) return false;
  plan->epilogue = plan_epilogue(requant, {sum}, {{add.lo}, {add.hi}}, output);
  // The forms below are of requantizations that have a total shift.
  const double factor = requant.multiplier.empty() ? 1 : requant.multiplier[0];
  if (!requant.shift.empty()) plan->scale = std::ldexp(factor, -requant.shift[0]);
  plan->shift = addend_of(requant.rule);
  switch (plan->epilogue.form) {
    case Form::affine:
      plan->finish = AddFinish::affine;
      return true;
    case Form::affine_preshift:
      plan->finish = AddFinish::affine_preshift;
      return true;
    case Form::double_rounding:
      plan->finish = AddFinish::double_rounding;
      return true;
    case Form::shift:
      plan->finish = AddFinish::shift;
      return true;
    default:
      break;
  }
  return false;
}

bool plan_form(const program::AddRescaled& f, const program::Add& add, const Tensor& a,
               const Tensor& b, const Tensor& output, Plan* plan) {
  const auto rescale = [&f](int32_t multiplier, int32_t shift, int32_t zero_point) {
    return [&f, multiplier, shift, zero_point](int32_t code) {
      const int64_t shifted = int64_t{code - zero_point} * (int64_t{1} << f.left_shift);
      return apply_fixed(shifted, multiplier, shift, f.rule);
    };
  };
  Range range_a, range_b;
  if (!tabulate(a, rescale(f.multiplier_a, f.shift_a, a.zero_point), plan->table_a, &range_a) ||
      !tabulate(b, rescale(f.multiplier_b, f.shift_b, b.zero_point), plan->table_b, &range_b)) {
    return false;
  }
  program::Requant requant;
  requant.kind = program::RequantKind::fixed;
  requant.rule = f.rule;
  requant.multiplier = {f.multiplier_out};
  requant.shift = {f.shift_out};
  return finish_int32(requant, range_a, range_b, add, output, plan);
}

// What an operand brings to a weighted sum.
auto times(int32_t multiplier, int32_t zero_point) {
  return [multiplier, zero_point](int32_t code) { return Int128{code - zero_point} * multiplier; };
}

bool plan_form(const program::AddRequant& f, const program::Add& add, const Tensor& a,
               const Tensor& b, const Tensor& output, Plan* plan) {
  Range range_a, range_b;
  return tabulate(a, times(f.multiplier_a, a.zero_point), plan->table_a, &range_a) &&
         tabulate(b, times(f.multiplier_b, b.zero_point), plan->table_b, &range_b) &&
         finish_int32(f.requant, range_a, range_b, add, output, plan);
}

bool plan_form(const program::AddTables& f, const program::Add& add, const Tensor& a,
               const Tensor& b, const Tensor& output, Plan* plan) {
  const auto entry = [](const std::vector<int32_t>& table, const Tensor& tensor) {
    return [&table, &tensor](int32_t code) {
      return Int128{table[static_cast<size_t>(code - program::least_code(tensor.type))]};
    };
  };
  Range range_a, range_b;
  return tabulate(a, entry(f.table_a, a), plan->table_a, &range_a) &&
         tabulate(b, entry(f.table_b, b), plan->table_b, &range_b) &&
         finish_int32(f.requant, range_a, range_b, add, output, plan);
}

bool plan_form(const program::AddAligned& f, const program::Add& add, const Tensor& a,
               const Tensor& b, const Tensor& output, Plan* plan) {
  Range range_a, range_b;
  if (!tabulate(a, times(f.multiplier_a, a.zero_point), plan->table_a, &range_a) ||
      !tabulate(b, times(f.multiplier_b, b.zero_point), plan->table_b, &range_b)) {
    return false;
  }
  program::Requant requant;
  requant.kind = program::RequantKind::shift;
  requant.rule = f.rule;
  requant.shift = {f.shift};
  return finish_int32(requant, range_a, range_b, add, output, plan);
}

// The vectors repeat the definition's float operations from the first one that needs both operands.
bool plan_form(const program::AddF32& f, const program::Add&, const Tensor& a, const Tensor& b,
               const Tensor& output, Plan* plan) {
  const float ra = f.scale_a, rb = f.scale_b, stored = float(program::stored_offset(output.type));
  const auto za = float(a.zero_point), zb = float(b.zero_point), zo = float(output.zero_point);
  // RNE in int32 lanes: sums have to stay far inside. The offset of stored codes is added after.
  const auto inside = [&](double divisor) {
    return 512.0 * (double{ra} + double{rb}) / divisor < 1e8;
  };
  plan->zero_point = stored;
  switch (f.order) {
    case program::AddOrder::separate: {
      const float fix = zo - (ra * za + rb * zb);
      tabulate_f32(a, [=](float x) { return fix + x * ra; }, plan->table_a);
      tabulate_f32(b, [=](float x) { return x * rb; }, plan->table_b);
      plan->finish = AddFinish::f32;
      return inside(1);
    }
    case program::AddOrder::direct:
      tabulate_f32(a, [=](float x) { return ra * (x - za); }, plan->table_a);
      tabulate_f32(b, [=](float x) { return rb * (x - zb); }, plan->table_b);
      plan->finish = AddFinish::f32_divide;
      plan->divisor = f.scale_out;
      plan->scale = 1 / double{f.scale_out};
      return inside(double{f.scale_out});
    case program::AddOrder::fused:
      break;
  }
  return false;
}

double entry(const Plan& plan, const int32_t* table, size_t stored) {
  if (plan.finish != AddFinish::f32 && plan.finish != AddFinish::f32_divide) return table[stored];
  float value;
  std::memcpy(&value, &table[stored], 4);
  return value;
}

// Of `plan`'s function, rounding aside.
AddLine line_of(const Plan& plan, const Tensor& output) {
  const auto slope = [&plan](const int32_t* table) {
    return (entry(plan, table, 255) - entry(plan, table, 0)) / 255 * plan.scale;
  };
  const double middle = entry(plan, plan.table_a, 128) + entry(plan, plan.table_b, 128);
  // Sums of the form f32 hold the zero point.
  const double zero_point = plan.finish == AddFinish::f32 ? 0 : output.zero_point;
  return {
      slope(plan.table_a), slope(plan.table_b),
      middle * plan.scale + plan.shift + zero_point + program::stored_offset(output.type) - 128};
}

}  // namespace

// What the tables give for all pairs, by a then b.
std::vector<uint8_t> FastAdd::all_codes() const {
  std::vector<uint8_t> a(entries), b(entries), codes(entries * entries);
  std::iota(b.begin(), b.end(), uint8_t{0});
  for (size_t i = 0; i < entries; ++i) {
    std::fill(a.begin(), a.end(), static_cast<uint8_t>(i));
    run(a.data(), b.data(), entries, &codes[i * entries]);
  }
  return codes;
}

void FastAdd::set_line(const AddLine& line) {
  const float values[3] = {static_cast<float>(line.slope_a / (1 << 24)),
                           static_cast<float>(line.slope_b / (1 << 24)),
                           static_cast<float>(line.offset)};
  const auto lanes = static_cast<size_t>(kernel_->lanes);
  finish_ = AddFinish::line;
  for (size_t i = 0; i < 3 * lanes; ++i) {
    std::memcpy(parameters_.get() + i * 4, &values[i / lanes], 4);
  }
}

// Where the line gives another code than is expected: the error in it, at the first such pair.
struct FastAdd::Miss {
  int32_t a = 0, b = 0, error = 0;
};

FastAdd::Miss FastAdd::first_miss(const std::vector<uint8_t>& expected) const {
  uint8_t a[entries], b[entries], got[entries];
  std::iota(b, b + entries, uint8_t{0});
  for (size_t i = 0; i < entries; ++i) {
    const size_t row = i * 77 % entries;  // all of them, neighbours far apart
    std::fill_n(a, entries, static_cast<uint8_t>(row));
    run(a, b, entries, got);
    const uint8_t* right = &expected[row * entries];
    if (std::memcmp(right, got, entries) == 0) continue;
    const size_t at = static_cast<size_t>(std::mismatch(got, got + entries, right).first - got);
    return {static_cast<int32_t>(row), static_cast<int32_t>(at), got[at] - right[at]};
  }
  return {};
}

// Each miss moves the line by a little, the most at the pair that was missed, until none is left:
// the rule of the perceptron, which ends at a line that has some room on both sides if there is
// one.
void FastAdd::find_line(AddLine line) {
  // Sums have to stay far inside int32.
  const double most =
      128 * (std::abs(line.slope_a) + std::abs(line.slope_b)) + std::abs(line.offset);
  if (!(most < 1e6)) return;
  constexpr int32_t most_moves = 100;
  constexpr double step = 1.0 / (1 << 20);
  const std::vector<uint8_t> expected = all_codes();
  const AddFinish tables = finish_;
  AlignedBytes parameters = aligned_bytes(3 * static_cast<size_t>(kernel_->lanes) * 4);
  std::swap(parameters_, parameters);
  for (int32_t moves = 0; moves < most_moves; ++moves) {
    set_line(line);
    const Miss miss = first_miss(expected);
    if (miss.error == 0) return tables_.reset();
    const double by = miss.error > 0 ? -step : step;
    line.offset += by;
    line.slope_a += by * (miss.a - 128) / (128 * 128);
    line.slope_b += by * (miss.b - 128) / (128 * 128);
  }
  finish_ = tables;
  std::swap(parameters_, parameters);
}

void FastAdd::run(const uint8_t* a, const uint8_t* b, size_t count, uint8_t* y) const {
  AddArgs args;
  args.a = a;
  args.b = b;
  args.y = y;
  args.count = count;
  args.table_a = reinterpret_cast<const int32_t*>(tables_.get());
  args.table_b = args.table_a + entries;
  args.parameters = reinterpret_cast<const int32_t*>(parameters_.get());
  args.lo = lo_;
  args.hi = hi_;
  kernel_->rows[static_cast<int>(finish_)](args);
}

std::unique_ptr<FastAdd> make_fast_add(const program::Add& add, const Tensor& a, const Tensor& b,
                                       const Tensor& output, uint32_t cpu_flags) {
  const AddKernel* kernel = pick_add(cpu_flags);
  if (kernel == nullptr || !program::is_8_bit(a.type) || !program::is_8_bit(b.type) ||
      !program::is_8_bit(output.type)) {
    return nullptr;
  }
  Plan plan;
  const bool planned = std::visit(
      [&](const auto& form) { return plan_form(form, add, a, b, output, &plan); }, add.form);
  if (!planned) return nullptr;
  auto fast = std::make_unique<FastAdd>();
  fast->kernel_ = kernel;
  fast->finish_ = plan.finish;
  fast->tables_ = aligned_bytes(2 * sizeof plan.table_a);
  std::memcpy(fast->tables_.get(), plan.table_a, sizeof plan.table_a);
  std::memcpy(fast->tables_.get() + sizeof plan.table_a, plan.table_b, sizeof plan.table_b);
  const int32_t offset = program::stored_offset(output.type);
  fast->lo_ = static_cast<uint8_t>(add.lo + offset);
  fast->hi_ = static_cast<uint8_t>(add.hi + offset);
  // An epilogue states its own bounds: where all sums end at one code, they are that code.
  if (!plan.epilogue.channels.empty()) {
    fast->lo_ = plan.epilogue.channels[0].lo;
    fast->hi_ = plan.epilogue.channels[0].hi;
  }
  const auto lanes = static_cast<size_t>(kernel->lanes);
  fast->parameters_ = aligned_bytes(6 * lanes * 4 + 64);
  auto* parameters = reinterpret_cast<int32_t*>(fast->parameters_.get());
  if (plan.finish == AddFinish::f32 || plan.finish == AddFinish::f32_divide) {
    for (size_t i = 0; i < lanes; ++i) {
      const auto zo = static_cast<float>(output.zero_point);
      std::memcpy(parameters + i, &plan.divisor, 4);
      std::memcpy(parameters + lanes + i, &zo, 4);
      parameters[2 * lanes + i] = offset;
    }
  } else {
    const std::vector<int32_t> order(lanes, 0);
    pack_parameters(plan.epilogue, order.data(), kernel->lanes, parameters);
  }
  fast->find_line(line_of(plan, output));
  return fast;
}

}  // namespace lastbit
