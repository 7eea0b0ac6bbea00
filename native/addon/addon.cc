// SPDX-License-Identifier: Apache-2.0
// The Node door: bytes and typed arrays in, typed arrays out. TypeScript (src/engine) validates
// options and names and makes the messages; what is checked here is what memory safety needs.
#include <napi.h>

#include <string>
#include <vector>

#include "addon/engine_object.h"
#include "addon/solve.h"
#include "cpu.h"
#include "program/load.h"

namespace lastbit::addon {
namespace {

// Raised whenever this file and src/engine/native.ts change what they say to each other.
constexpr int32_t interface_version = 5;

Napi::Array names_of(Napi::Env env, const std::vector<std::string>& names) {
  Napi::Array array = Napi::Array::New(env, names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    array[static_cast<uint32_t>(i)] = Napi::String::New(env, names[i]);
  }
  return array;
}

}  // namespace

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    DefineAddon(
        exports,
        {InstanceValue("interfaceVersion", Napi::Number::New(env, interface_version),
                       napi_enumerable),
         InstanceValue("programVersion", Napi::Number::New(env, program::format_version),
                       napi_enumerable),
         InstanceValue("tier", Napi::String::New(env, cpu::tier_name(cpu::detect())),
                       napi_enumerable),
         InstanceValue("tiers", names_of(env, tiers()), napi_enumerable),
         InstanceValue("allTiers", names_of(env, words()), napi_enumerable),
         InstanceValue("Engine", engine_class(env), napi_enumerable),
         InstanceValue("CancelToken", cancel_token_class(env), napi_enumerable),
         InstanceValue("GramSum", gram_sum_class(env), napi_enumerable),
         InstanceValue("roundWeights", Napi::Function::New(env, round_weights), napi_enumerable)});
  }

 private:
  static std::vector<std::string> words() {
    return {"ref", "sse41", "avx2", "avx512", "vnni", "amx", "avxvnni", "neon", "neondot", "i8mm"};
  }

  // Those that this CPU has.
  static std::vector<std::string> tiers() {
    std::vector<std::string> names;
    for (const std::string& word : words()) {
      uint32_t flags = 0;
      cpu::tier_flags(word, &flags);
      if ((flags & cpu::detect()) == flags) names.push_back(word);
    }
    return names;
  }
};

NODE_API_ADDON(Addon)

}  // namespace lastbit::addon
