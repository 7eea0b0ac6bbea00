// SPDX-License-Identifier: Apache-2.0
#include "program/load.h"

#include <algorithm>
#include <unordered_set>

#include "numeric/requant.h"
#include "program/reader.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The program format is little-endian and is read in place"
#endif

namespace lastbit::program {
namespace {

constexpr uint32_t max_side = 65536;
constexpr size_t max_codes = size_t{1} << 28;
constexpr int64_t max_sum = int64_t{1} << 62;
constexpr float least_scale = 0x1p-64f, greatest_scale = 0x1p64f;

bool fits32(Int128 v) { return v >= INT32_MIN && v <= INT32_MAX; }

// Least and greatest of code - zero point; 0 lies between, since zero points are codes.
struct Centred {
  int64_t least, greatest;
};

Centred centred(const Tensor& t) {
  return {int64_t{least_code(t.type)} - t.zero_point,
          int64_t{greatest_code(t.type)} - t.zero_point};
}

std::string shape_text(const Tensor& t) {
  return std::to_string(t.height) + " x " + std::to_string(t.width) + " x " +
         std::to_string(t.channels);
}

// Reads one program. Members are grouped as the format is: header, tensors, operations, bodies.
class Loader {
 public:
  Loader(const uint8_t* bytes, size_t size) : r_(bytes, size), size_(size) {}

  Program read() {
    read_header();
    read_facts();
    read_tensors();
    read_input_and_outputs();
    read_ops();
    if (r_.remaining() != 0) {
      r_.fail(std::to_string(r_.remaining()) + " bytes follow the last operation");
    }
    check_all_written();
    return std::move(p_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    Reader::fail_at(op_offset_, op_text_ + message);
  }
  void require(bool condition, const char* message) const {
    if (!condition) fail(message);
  }

  void read_header() {
    const uint8_t* magic = r_.take(4, "the header");
    if (std::memcmp(magic, "LBP1", 4) != 0) Reader::fail_at(0, "expected the bytes LBP1");
    const uint32_t version = r_.u32("the version");
    if (version != format_version) {
      Reader::fail_at(4, "expected format version " + std::to_string(format_version) + ", got " +
                             std::to_string(version));
    }
    const uint32_t total = r_.u32("the total");
    if (total != size_) {
      Reader::fail_at(8, "the header says " + std::to_string(total) + " bytes, there are " +
                             std::to_string(size_));
    }
    r_.u32("the CRC");
  }

  void read_facts() {
    p_.target = r_.str("the target");
    const uint32_t count = r_.u32("the number of facts");
    std::string previous;
    for (uint32_t i = 0; i < count; ++i) {
      const size_t start = r_.offset();
      std::string key = r_.str("a fact's key");
      // Unsigned bytes: std::string compares with char_traits<char>, which does just that.
      if (i > 0 && !(previous < key)) Reader::fail_at(start, "fact keys must ascend");
      r_.str("a fact");
      previous = std::move(key);
    }
  }

  void read_tensors() {
    const uint32_t count = r_.u32("the number of tensors");
    std::unordered_set<std::string> names;
    for (uint32_t i = 0; i < count; ++i) {
      const size_t start = r_.offset();
      p_.tensors.push_back(read_tensor());
      if (!names.insert(p_.tensors.back().name).second) {
        Reader::fail_at(start, "two tensors are named \"" + p_.tensors.back().name + "\"");
      }
    }
    written_.assign(p_.tensors.size(), false);
  }

  Tensor read_tensor() {
    Tensor t;
    const size_t start = r_.offset();
    t.name = r_.str("a tensor's name");
    t.type = r_.enumeration<CodeType>("a tensor's type", 4);
    t.height = static_cast<int32_t>(r_.u32_in("a height", 1, max_side));
    t.width = static_cast<int32_t>(r_.u32_in("a width", 1, max_side));
    t.channels = static_cast<int32_t>(r_.u32_in("a channel count", 1, max_side));
    if (t.codes() > max_codes) {
      Reader::fail_at(start, "tensor \"" + t.name + "\" has more than 2^28 codes");
    }
    t.zero_point = r_.i32_in("a zero point", least_code(t.type), greatest_code(t.type));
    t.scale = r_.scale("a tensor's scale");
    return t;
  }

  uint32_t tensor_index(const char* what) {
    if (p_.tensors.empty()) r_.fail("there are no tensors");
    return r_.u32_in(what, 0, static_cast<uint32_t>(p_.tensors.size() - 1));
  }

  void read_input_and_outputs() {
    const size_t start = r_.offset();
    p_.input = tensor_index("the input tensor");
    if (p_.tensors[p_.input].type == CodeType::s32) Reader::fail_at(start, "the input is s32");
    written_[p_.input] = true;
    r_.u32_in("the input's form", 0, 1);
    r_.u32_in("the input's rule", 0, 1);
    const size_t count_at = r_.offset();
    const uint32_t count = r_.u32("the number of outputs");
    if (count == 0) Reader::fail_at(count_at, "expected at least one output");
    for (uint32_t i = 0; i < count; ++i) p_.outputs.push_back(tensor_index("an output tensor"));
  }

  void read_ops() {
    const uint32_t count = r_.u32("the number of operations");
    std::unordered_set<std::string> names;
    for (uint32_t i = 0; i < count; ++i) {
      op_offset_ = r_.offset();
      read_op();
      if (!names.insert(p_.ops.back().name).second) fail("its name is taken");
    }
  }

  void read_op() {
    const Opcode opcode = r_.enumeration<Opcode>("an opcode", std::variant_size_v<Body>);
    const uint32_t body_bytes = r_.u32("a body's length");
    p_.ops.emplace_back();
    Op& op = p_.ops.back();
    op.name = r_.str("an operation's name");
    op_text_ = "operation \"" + op.name + "\": ";
    read_operands(op, opcode);
    const size_t body_at = r_.offset();
    if (body_bytes > r_.remaining()) fail("its body is longer than the bytes left");
    op.body = read_body(opcode);
    if (r_.offset() - body_at != body_bytes) {
      fail("its body has " + std::to_string(r_.offset() - body_at) + " bytes, not the " +
           std::to_string(body_bytes) + " that it claims");
    }
    written_[op.output] = true;
  }

  void read_operands(Op& op, Opcode opcode) {
    const uint32_t count = r_.u32("the number of inputs");
    const bool binary = opcode == Opcode::add || opcode == Opcode::mul;
    if (opcode == Opcode::concat ? count == 0 : count != (binary ? 2u : 1u)) {
      fail("it has " + std::to_string(count) + " inputs");
    }
    inputs_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t index = tensor_index("an input tensor");
      if (!written_[index])
        fail("it reads tensor " + std::to_string(index) + " before it is written");
      op.inputs.push_back(index);
      inputs_.push_back(&p_.tensors[index]);
      if (inputs_.back()->type == CodeType::s32 && opcode != Opcode::reshape) {
        fail("it reads an s32 tensor, which only reshape may");
      }
    }
    op.output = tensor_index("the output tensor");
    if (written_[op.output]) fail("its output is written already");
    out_ = &p_.tensors[op.output];
  }

  void check_all_written() const {
    for (size_t i = 0; i < written_.size(); ++i) {
      if (!written_[i]) r_.fail("nothing writes tensor " + std::to_string(i));
    }
  }

  Body read_body(Opcode opcode) {
    switch (opcode) {
      case Opcode::conv:
        return read_conv();
      case Opcode::add:
        return read_add();
      case Opcode::mul:
        return read_mul();
      case Opcode::average_pool:
        return read_average_pool();
      case Opcode::max_pool:
        return read_max_pool();
      case Opcode::concat:
        return read_concat();
      case Opcode::pad:
        return read_pad();
      case Opcode::reshape:
        return read_reshape();
      case Opcode::lut:
        return read_lut();
      case Opcode::softmax:
        break;
    }
    return read_softmax();
  }

  const Tensor& in(size_t i = 0) const { return *inputs_[i]; }

  void require_output(int64_t height, int64_t width, int64_t channels) const {
    if (out_->height == height && out_->width == width && out_->channels == channels) return;
    fail("its output should be " + std::to_string(height) + " x " + std::to_string(width) + " x " +
         std::to_string(channels) + ", it is " + shape_text(*out_));
  }
  void require_output_like(const Tensor& t) const { require_output(t.height, t.width, t.channels); }
  void require_same_codes() const {
    for (const Tensor* t : inputs_) {
      require(t->type == out_->type && t->zero_point == out_->zero_point,
              "types and zero points of inputs and output must be equal");
    }
  }

  // Pads of windows and of `pad`.
  Pads read_pads() {
    Pads pads;
    for (int32_t* side : {&pads.top, &pads.left, &pads.bottom, &pads.right}) {
      *side = static_cast<int32_t>(r_.u32_in("a pad", 0, max_side));
    }
    return pads;
  }

  Window read_window(bool with_dilations) {
    Window w;
    const auto pair = [this](const char* what, int32_t* h, int32_t* v) {
      *h = static_cast<int32_t>(r_.u32_in(what, 1, max_side));
      *v = static_cast<int32_t>(r_.u32_in(what, 1, max_side));
    };
    pair("a kernel side", &w.kernel_h, &w.kernel_w);
    pair("a stride", &w.stride_h, &w.stride_w);
    if (with_dilations) pair("a dilation", &w.dilation_h, &w.dilation_w);
    w.pads = read_pads();
    return w;
  }

  // floor((size + pads - ((kernel - 1) * dilation + 1)) / stride) + 1; 0 or less: no window fits.
  static int64_t window_count(int64_t size, int64_t before, int64_t after, int64_t kernel,
                              int64_t stride, int64_t dilation) {
    const int64_t room = size + before + after - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
  }

  void require_window_output(const Window& w, int64_t channels) const {
    require_output(
        window_count(in().height, w.pads.top, w.pads.bottom, w.kernel_h, w.stride_h, w.dilation_h),
        window_count(in().width, w.pads.left, w.pads.right, w.kernel_w, w.stride_w, w.dilation_w),
        channels);
  }

  // Windows start at -before and advance by the stride, so only the first can end before the image
  // and only the last begin behind it.
  static bool windows_hold_pixels(int64_t size, int64_t before, int64_t kernel, int64_t stride,
                                  int64_t count) {
    return before < kernel && (count - 1) * stride - before < size;
  }

  Window read_pool_window() {
    const Window w = read_window(false);
    require_window_output(w, in().channels);
    require(windows_hold_pixels(in().height, w.pads.top, w.kernel_h, w.stride_h, out_->height) &&
                windows_hold_pixels(in().width, w.pads.left, w.kernel_w, w.stride_w, out_->width),
            "a window holds no pixel");
    return w;
  }

  void require_entries(size_t count, size_t channels, const char* what) const {
    if (count == 1 || count == channels) return;
    fail(std::string(what) + " must have 1 or " + std::to_string(channels) +
         " entries, there are " + std::to_string(count));
  }

  template <class T>
  void require_range(const std::vector<T>& values, int64_t least, int64_t greatest,
                     const char* what) const {
    for (const T v : values) {
      if (v < least || v > greatest) {
        fail(std::string(what) + " must be in [" + std::to_string(least) + ", " +
             std::to_string(greatest) + "], got " + std::to_string(v));
      }
    }
  }

  template <class T>
  std::vector<T> read_entries(const char* what, size_t channels) {
    std::vector<T> values = r_.array<T>(what);
    require_entries(values.size(), channels, what);
    return values;
  }

  Requant read_requant(bool wide_accumulator) {
    Requant q;
    const auto channels = static_cast<size_t>(out_->channels);
    q.kind = r_.enumeration<RequantKind>("a requantization", 4);
    switch (q.kind) {
      case RequantKind::none:
        require(out_->type == CodeType::s32, "without requantization its output must be s32");
        break;
      case RequantKind::fixed: {
        q.rule = r_.enumeration<Rule>("a rule", wide_accumulator ? plain_rule_count : rule_count);
        q.multiplier = read_entries<int32_t>("multipliers", channels);
        const std::vector<uint8_t> shift = read_entries<uint8_t>("shifts", channels);
        q.shift.assign(shift.begin(), shift.end());
        require_range(q.multiplier, 0, INT32_MAX, "a multiplier");
        require_range(q.shift, 1, 62, "a shift");
        break;
      }
      case RequantKind::f32:
        q.scale = read_entries<float>("scales", channels);
        for (const float s : q.scale) Reader::check_scale(op_offset_, "a scale", s);
        break;
      case RequantKind::shift: {
        q.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
        const std::vector<int8_t> shift = read_entries<int8_t>("shifts", channels);
        q.shift.assign(shift.begin(), shift.end());
        require_range(q.shift, -31, 62, "a shift");
        break;
      }
    }
    return q;
  }

  Clamp read_clamp(size_t channels) {
    Clamp c{read_entries<int32_t>("lower bounds", channels),
            read_entries<int32_t>("upper bounds", channels)};
    const int32_t least = least_code(out_->type), greatest = greatest_code(out_->type);
    require_range(c.lo, least, greatest, "a lower bound");
    require_range(c.hi, least, greatest, "an upper bound");
    for (size_t i = 0; i < std::max(c.lo.size(), c.hi.size()); ++i) {
      require(of_channel(c.lo, i) <= of_channel(c.hi, i), "a lower bound is above its upper bound");
    }
    return c;
  }
  Clamp read_clamp() { return read_clamp(static_cast<size_t>(out_->channels)); }

  // conv ------------------------------------------------------------------------------------------

  Accumulator read_accumulator() {
    Accumulator a;
    a.bits = static_cast<int32_t>(r_.u32_in("accumulator bits", 16, 64));
    a.overflow = r_.enumeration<Overflow>("an overflow", 4);
    a.when = r_.enumeration<When>("a time of overflow", 2);
    a.products = r_.enumeration<Products>("a kind of products", 2);
    a.bias_first = r_.u32_in("biasFirst", 0, 1) != 0;
    return a;
  }

  template <class T>
  void view_weights(Conv& conv) {
    conv.weights = r_.view<T>("weights", &conv.weight_count);
  }

  void read_weights(Conv& conv) {
    conv.weight_type = r_.enumeration<WeightType>("a weight type", 3);
    switch (conv.weight_type) {
      case WeightType::s8:
        view_weights<int8_t>(conv);
        break;
      case WeightType::u8:
        view_weights<uint8_t>(conv);
        break;
      case WeightType::s16:
        view_weights<int16_t>(conv);
        break;
    }
    conv.weight_zero_points =
        read_entries<int32_t>("weight zero points", static_cast<size_t>(out_->channels));
    constexpr int32_t least[] = {-128, 0, -32768}, greatest[] = {127, 255, 32767};
    const auto type = static_cast<size_t>(conv.weight_type);
    require_range(conv.weight_zero_points, least[type], greatest[type], "a weight zero point");
  }

  void check_weight_count(const Conv& conv) const {
    require(in().channels % conv.groups == 0 && out_->channels % conv.groups == 0,
            "groups must divide its channels");
    // Each factor is at most 2^16, so three of them stay below 2^49 and the division is exact.
    const uint64_t per_channel = uint64_t(conv.window.kernel_h) * uint64_t(conv.window.kernel_w) *
                                 uint64_t(in().channels / conv.groups);
    const auto channels = uint64_t(out_->channels);
    require(conv.weight_count % channels == 0 && conv.weight_count / channels == per_channel,
            "the number of weights is not output channels x kernel x input channels / groups");
    require(conv.bias.size() == channels, "there must be one bias per output channel");
  }

  // |bias| + sum of |w - zw| * max |x - z| < 2^62 for each channel: sums below it cannot leave 63
  // bits, whatever their order. Raw codes and z * w (satPairs16) are at most twice the range of u8.
  void check_sums(const Conv& conv) const {
    const Centred x = centred(in());
    const int64_t pixel =
        conv.accumulator.products == Products::sat_pairs16 ? 510 : std::max(-x.least, x.greatest);
    const size_t count = conv.reduction();
    // |w - zw| <= 65535: only layers whose crudest bound fails are summed weight by weight.
    if (Int128{int64_t(count)} * 65535 * pixel + (int64_t{1} << 31) < max_sum) return;
    for (size_t oc = 0; oc < conv.bias.size(); ++oc) {
      int64_t sum = 0;
      for (size_t i = 0; i < count; ++i) {
        sum += std::abs(int64_t{conv.weight(oc, i)} - conv.weight_zero_points[oc]);
      }
      require(Int128{sum} * pixel + std::abs(int64_t{conv.bias[oc]}) < max_sum,
              "a sum may leave 63 bits");
    }
  }

  void check_pairs(const Conv& conv) const {
    const bool symmetric =
        std::all_of(conv.weight_zero_points.begin(), conv.weight_zero_points.end(),
                    [](int32_t z) { return z == 0; });
    require(in().type == CodeType::u8 && conv.weight_type == WeightType::s8 && symmetric &&
                conv.accumulator.when == When::end,
            "satPairs16 needs u8 codes, s8 weights with zero points 0, and overflow at the end");
  }

  template <class T>
  static void repeat(std::vector<T>& values, size_t count) {
    if (values.size() == 1) values.resize(count, values[0]);
  }

  Body read_conv() {
    Conv conv;
    conv.window = read_window(true);
    conv.groups = static_cast<int32_t>(r_.u32_in("groups", 1, max_side));
    conv.input_channels = in().channels;
    conv.output_channels = out_->channels;
    read_weights(conv);
    conv.bias = r_.array<int32_t>("biases");
    conv.accumulator = read_accumulator();
    conv.requant = read_requant(conv.accumulator.bits > 32);
    conv.clamp = read_clamp();
    require_window_output(conv.window, out_->channels);
    check_weight_count(conv);
    // From here on there is a bias for each channel, so repeating cannot outgrow the file by much.
    const size_t channels = conv.bias.size();
    for (std::vector<int32_t>* values : {&conv.weight_zero_points, &conv.requant.multiplier,
                                         &conv.requant.shift, &conv.clamp.lo, &conv.clamp.hi}) {
      repeat(*values, channels);
    }
    repeat(conv.requant.scale, channels);
    if (conv.accumulator.products == Products::sat_pairs16) check_pairs(conv);
    check_sums(conv);
    return conv;
  }

  // add, mul --------------------------------------------------------------------------------------

  Body read_add() {
    Add add;
    require_output_like(in(0));
    require_output_like(in(1));
    require(out_->type != CodeType::s32, "its output must not be s32");
    switch (r_.u32_in("an add's form", 0, 2)) {
      case 0:
        add.form = read_rescaled();
        break;
      case 1:
        add.form = read_aligned();
        break;
      default:
        add.form = read_f32_add();
    }
    const Clamp clamp = read_clamp(1);
    add.lo = clamp.lo[0];
    add.hi = clamp.hi[0];
    return add;
  }

  AddRescaled read_rescaled() {
    AddRescaled f;
    const auto multiplier = [this] { return r_.i32_in("a multiplier", 0, INT32_MAX); };
    const auto shift = [this] { return static_cast<int32_t>(r_.u32_in("a shift", 1, 62)); };
    f.left_shift = static_cast<int32_t>(r_.u32_in("leftShift", 0, 30));
    f.multiplier_a = multiplier();
    f.shift_a = shift();
    f.multiplier_b = multiplier();
    f.shift_b = shift();
    f.multiplier_out = multiplier();
    f.shift_out = shift();
    f.rule = r_.enumeration<Rule>("a rule", rule_count);
    // Rescaling is monotone, so the extreme codes give the extreme sums.
    const Centred a = centred(in(0)), b = centred(in(1));
    check_rescaled_sum(f, a.least, b.least);
    check_rescaled_sum(f, a.greatest, b.greatest);
    return f;
  }

  void check_rescaled_sum(const AddRescaled& f, int64_t a, int64_t b) const {
    a *= int64_t{1} << f.left_shift;
    b *= int64_t{1} << f.left_shift;
    require(fits32(a) && fits32(b), "a shifted operand leaves 32 bits");
    const Int128 scaled_a = apply_fixed(a, f.multiplier_a, f.shift_a, f.rule);
    const Int128 scaled_b = apply_fixed(b, f.multiplier_b, f.shift_b, f.rule);
    require(fits32(scaled_a) && fits32(scaled_b) && fits32(scaled_a + scaled_b),
            "the sum of the rescaled operands leaves 32 bits");
  }

  AddAligned read_aligned() {
    AddAligned f;
    f.multiplier_a = r_.i32_in("a multiplier", 0, INT32_MAX);
    f.multiplier_b = r_.i32_in("a multiplier", 0, INT32_MAX);
    f.shift = static_cast<int32_t>(r_.u32_in("a shift", 0, 62));
    f.rule = r_.enumeration<Rule>("a rule", plain_rule_count);
    return f;
  }

  AddF32 read_f32_add() {
    AddF32 f;
    f.order = r_.enumeration<AddOrder>("an order", 3);
    f.scale_a = bounded_scale("scaleA");
    f.scale_b = bounded_scale("scaleB");
    f.scale_out = bounded_scale("scaleOut");
    return f;
  }

  // Within these bounds no product or sum of the float forms can overflow or be 0 / 0.
  float bounded_scale(const char* what) {
    const size_t start = r_.offset();
    const float value = r_.scale(what);
    if (value < least_scale || value > greatest_scale) {
      Reader::fail_at(start, op_text_ + what + " must be in [2^-64, 2^64]");
    }
    return value;
  }

  Body read_mul() {
    Mul mul;
    const Tensor &a = in(0), &b = in(1);
    require_output_like(a);
    const bool same = b.height == a.height && b.width == a.width;
    require(b.channels == a.channels && (same || (b.height == 1 && b.width == 1)),
            "its second input must be like the first or 1 x 1 x channels");
    mul.repeat_b = !same;
    const Centred x = centred(a), y = centred(b);
    for (const int64_t product :
         {x.least * y.least, x.least * y.greatest, x.greatest * y.least, x.greatest * y.greatest}) {
      require(fits32(product), "a product leaves 32 bits");
    }
    mul.requant = read_requant(false);
    mul.clamp = read_clamp();
    return mul;
  }

  // pools -----------------------------------------------------------------------------------------

  Body read_average_pool() {
    AveragePool pool;
    pool.window = read_pool_window();
    pool.divide = r_.u32_in("an average's form", 0, 1) == 0;
    if (pool.divide) {
      pool.rule = r_.enumeration<DivideRule>("a rule", 3);
      require_same_codes();
    } else {
      const Centred x = centred(in());
      const int64_t area = int64_t{pool.window.kernel_h} * pool.window.kernel_w;
      require(fits32(Int128{area} * x.least) && fits32(Int128{area} * x.greatest),
              "a sum leaves 32 bits");
      pool.requant = read_requant(false);
    }
    pool.clamp = read_clamp();
    return pool;
  }

  Body read_max_pool() {
    MaxPool pool;
    pool.window = read_pool_window();
    require_same_codes();
    pool.clamp = read_clamp();
    return pool;
  }

  // moves, tables ---------------------------------------------------------------------------------

  Body read_concat() {
    require_same_codes();
    int64_t channels = 0;
    for (const Tensor* t : inputs_) {
      require(t->height == in().height && t->width == in().width,
              "its inputs must have equal height and width");
      channels += t->channels;
    }
    require_output(in().height, in().width, channels);
    return Concat{};
  }

  Body read_pad() {
    require_same_codes();
    const Pads p = read_pads();
    require_output(int64_t{in().height} + p.top + p.bottom, int64_t{in().width} + p.left + p.right,
                   in().channels);
    return Pad{p};
  }

  Body read_reshape() {
    require_same_codes();
    require(in().codes() == out_->codes(), "its output has another number of codes");
    return Reshape{};
  }

  Body read_lut() {
    require(is_8_bit(in().type), "its input must have 8 bits");
    require_output_like(in());
    Lut lut{r_.array<int32_t>("the table")};
    require(lut.table.size() == 256, "its table must have 256 entries");
    require_range(lut.table, least_code(out_->type), greatest_code(out_->type), "a table entry");
    return lut;
  }

  // softmax ---------------------------------------------------------------------------------------

  Body read_softmax() {
    require(is_8_bit(in().type) && is_8_bit(out_->type), "its input and output must have 8 bits");
    require_output_like(in());
    Softmax softmax;
    if (r_.u32_in("a softmax's form", 0, 1) == 0) {
      softmax.form = read_softmax_gemmlowp();
    } else {
      softmax.form = read_softmax_table();
    }
    return softmax;
  }

  SoftmaxGemmlowp read_softmax_gemmlowp() {
    SoftmaxGemmlowp f;
    f.multiplier = r_.i32_in("the multiplier", 0, INT32_MAX);
    f.left_shift = static_cast<int32_t>(r_.u32_in("leftShift", 0, 31));
    // Keeps (x - max) << leftShift, and so the argument of exp, within 32 bits.
    f.diff_min = r_.i32_in("diffMin", -((31 << 26) >> f.left_shift), 0);
    // Each exp adds at most 2^19 to the sum in Q12.19.
    require(in().channels <= 4095, "more than 4095 channels overflow the sum");
    return f;
  }

  SoftmaxTable read_softmax_table() {
    SoftmaxTable f;
    f.table = r_.array<float>("the table");
    require(f.table.size() == 256, "its table must have 256 entries");
    for (const float t : f.table) {
      require(t >= 0 && t <= greatest_scale, "a table entry must be in [0, 2^64]");
    }
    require(f.table[0] >= least_scale, "the first table entry must be at least 2^-64");
    f.output_scale = bounded_scale("outputScale");
    f.rule = r_.enumeration<SoftmaxRule>("a rule", 2);
    return f;
  }

  Reader r_;
  size_t size_;
  Program p_;
  std::vector<bool> written_;
  // Of the operation being read:
  std::string op_text_;
  size_t op_offset_ = 0;
  std::vector<const Tensor*> inputs_;
  const Tensor* out_ = nullptr;
};

}  // namespace

LoadResult load(const uint8_t* bytes, size_t size) {
  LoadResult result;
  if (reinterpret_cast<uintptr_t>(bytes) % 4 != 0) {
    result.message = "the bytes do not start at a multiple of 4";
    return result;
  }
  try {
    result.program = Loader(bytes, size).read();
    result.ok = true;
  } catch (const Malformed& malformed) {
    result.message = malformed.message;
    result.offset = malformed.offset;
  }
  return result;
}

}  // namespace lastbit::program
