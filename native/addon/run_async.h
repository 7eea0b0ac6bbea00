// SPDX-License-Identifier: Apache-2.0
// Runs on a thread of libuv, so that the caller's event loop stays free. Safe when the environment
// goes down meanwhile: the work owns its codes and shares the engine, and what is left to say then
// is swallowed (NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS).
#pragma once
#include <napi.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "exec/engine.h"

namespace lastbit::addon {

struct OwnedResult {
  uint32_t tensor;
  std::vector<uint8_t> codes;
  Napi::ObjectReference array;  // the caller's typed array, filled at the end
};

// The bytes of an exec::Input.
struct OwnedInput {
  enum class Kind { codes, reals, pixels };
  Kind kind = Kind::codes;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> table;  // of pixels

  exec::Input view() const {
    exec::Input input;
    switch (kind) {
      case Kind::codes:
        input.codes = bytes.data();
        break;
      case Kind::reals:
        input.reals = reinterpret_cast<const float*>(bytes.data());
        break;
      case Kind::pixels:
        input.pixels = bytes.data();
        input.table = table.data();
        break;
    }
    return input;
  }
};

struct OwnedJob {
  OwnedInput input;
  std::vector<OwnedResult> results;
};

class RunWorker : public Napi::AsyncWorker {
 public:
  using Describe = Napi::Value (*)(Napi::Env, const exec::Outcome&);

  // Resolves with describe(outcome) of the one job, or with an array of them if `many`.
  RunWorker(Napi::Env env, std::shared_ptr<exec::Engine> engine, std::vector<OwnedJob> jobs,
            bool many, Describe describe)
      : Napi::AsyncWorker(env),
        engine_(std::move(engine)),
        jobs_(std::move(jobs)),
        many_(many),
        describe_(describe),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    std::vector<exec::Job> jobs;
    for (OwnedJob& owned : jobs_) {
      jobs.emplace_back();
      jobs.back().input = owned.input.view();
      for (OwnedResult& r : owned.results) jobs.back().copies.push_back({r.tensor, r.codes.data()});
    }
    outcomes_ =
        many_ ? engine_->run_many(jobs) : std::vector<exec::Outcome>{engine_->run(jobs.front())};
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    for (OwnedJob& job : jobs_) {
      for (OwnedResult& result : job.results) hand_over(result);
    }
    if (!many_) return deferred_.Resolve(describe_(env, outcomes_.front()));
    Napi::Array array = Napi::Array::New(env, outcomes_.size());
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      array[static_cast<uint32_t>(i)] = describe_(env, outcomes_[i]);
    }
    deferred_.Resolve(array);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  static void hand_over(const OwnedResult& result) {
    const auto array = result.array.Value().As<Napi::TypedArray>();
    // An array that was transferred away meanwhile has no bytes left to fill.
    if (array.ByteLength() != result.codes.size()) return;
    std::memcpy(static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(),
                result.codes.data(), result.codes.size());
  }

  std::shared_ptr<exec::Engine> engine_;
  std::vector<OwnedJob> jobs_;
  bool many_;
  Describe describe_;
  Napi::Promise::Deferred deferred_;
  std::vector<exec::Outcome> outcomes_;
};

}  // namespace lastbit::addon
