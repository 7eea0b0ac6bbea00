// SPDX-License-Identifier: Apache-2.0
#include "program/load.h"

#include <unordered_set>

#include "program/loader.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The program format is little-endian and is read in place"
#endif

namespace lastbit::program {
namespace {

constexpr size_t max_codes = size_t{1} << 28;

std::string shape_text(const Tensor& t) {
  return std::to_string(t.height) + " x " + std::to_string(t.width) + " x " +
         std::to_string(t.channels);
}

}  // namespace

Program Loader::read() {
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

void Loader::read_header() {
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

void Loader::read_facts() {
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

void Loader::read_tensors() {
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

Tensor Loader::read_tensor() {
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

uint32_t Loader::tensor_index(const char* what) {
  if (p_.tensors.empty()) r_.fail("there are no tensors");
  return r_.u32_in(what, 0, static_cast<uint32_t>(p_.tensors.size() - 1));
}

void Loader::read_input_and_outputs() {
  const size_t start = r_.offset();
  p_.input = tensor_index("the input tensor");
  if (p_.tensors[p_.input].type == CodeType::s32) Reader::fail_at(start, "the input is s32");
  written_[p_.input] = true;
  p_.input_rule.multiplies_inverse = r_.u32_in("the input's form", 0, 1) == 1;
  p_.input_rule.half_even = r_.u32_in("the input's rule", 0, 1) == 1;
  const size_t count_at = r_.offset();
  const uint32_t count = r_.u32("the number of outputs");
  if (count == 0) Reader::fail_at(count_at, "expected at least one output");
  for (uint32_t i = 0; i < count; ++i) p_.outputs.push_back(tensor_index("an output tensor"));
}

void Loader::read_ops() {
  const uint32_t count = r_.u32("the number of operations");
  std::unordered_set<std::string> names;
  for (uint32_t i = 0; i < count; ++i) {
    op_offset_ = r_.offset();
    read_op();
    if (!names.insert(p_.ops.back().name).second) fail("its name is taken");
  }
}

void Loader::read_op() {
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

void Loader::read_operands(Op& op, Opcode opcode) {
  const uint32_t count = r_.u32("the number of inputs");
  const bool binary = opcode == Opcode::add || opcode == Opcode::mul || opcode == Opcode::splice;
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

void Loader::check_all_written() const {
  for (size_t i = 0; i < written_.size(); ++i) {
    if (!written_[i]) r_.fail("nothing writes tensor " + std::to_string(i));
  }
}

Body Loader::read_body(Opcode opcode) {
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
      return read_softmax();
    case Opcode::splice:
      return read_splice();
    case Opcode::resize:
      break;
  }
  return read_resize();
}

void Loader::require_output(int64_t height, int64_t width, int64_t channels) const {
  if (out_->height == height && out_->width == width && out_->channels == channels) return;
  fail("its output should be " + std::to_string(height) + " x " + std::to_string(width) + " x " +
       std::to_string(channels) + ", it is " + shape_text(*out_));
}
void Loader::require_same_codes() const {
  for (const Tensor* t : inputs_) {
    require(t->type == out_->type && t->zero_point == out_->zero_point,
            "types and zero points of inputs and output must be equal");
  }
}

void Loader::require_entries(size_t count, size_t channels, const char* what) const {
  if (count == 1 || count == channels) return;
  fail(std::string(what) + " must have 1 or " + std::to_string(channels) + " entries, there are " +
       std::to_string(count));
}

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
