// SPDX-License-Identifier: Apache-2.0
#include "addon/engine_object.h"

#include <atomic>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "addon/run_queue.h"
#include "cpu.h"
#include "exec/engine.h"
#include "program/load.h"

namespace lastbit::addon {
namespace {

using exec::Engine;
using exec::Job;
using exec::Outcome;
using program::CodeType;
using program::Tensor;

napi_typedarray_type array_type(CodeType type) {
  constexpr napi_typedarray_type types[] = {napi_uint8_array, napi_int8_array, napi_int16_array,
                                            napi_int32_array};
  return types[static_cast<size_t>(type)];
}

// The bytes of a typed array that must hold all codes of a tensor.
uint8_t* codes_of(const Napi::Value& value, const Tensor& tensor) {
  const Napi::Env env = value.Env();
  if (!value.IsTypedArray()) throw Napi::TypeError::New(env, "expected a typed array of codes");
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != array_type(tensor.type) ||
      array.ElementLength() != tensor.codes()) {
    throw Napi::TypeError::New(env, "codes of \"" + tensor.name + "\" need " +
                                        std::to_string(tensor.codes()) + " elements of its type");
  }
  return static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
}

// The elements of a typed array of one type and length.
template <class Element>
const Element* elements_of(const Napi::Value& value, napi_typedarray_type type, size_t count) {
  const auto array = value.As<Napi::TypedArray>();
  if (!value.IsTypedArray() || array.TypedArrayType() != type || array.ElementLength() != count) {
    throw Napi::TypeError::New(
        value.Env(), "expected " + std::to_string(count) + " elements of another type or length");
  }
  const auto* bytes = static_cast<const uint8_t*>(array.ArrayBuffer().Data());
  return reinterpret_cast<const Element*>(bytes + array.ByteOffset());
}

// codes | reals: Float32Array | [pixels: Uint8Array, table: Int32Array]
exec::Input input_of(const Napi::Value& value, const Tensor& tensor) {
  exec::Input input;
  if (value.IsArray()) {
    const auto pair = value.As<Napi::Array>();
    const auto channels = static_cast<size_t>(tensor.channels);
    input.pixels = elements_of<uint8_t>(pair[0u], napi_uint8_array, tensor.codes());
    input.table = elements_of<int32_t>(pair[1u], napi_int32_array, channels * 256);
  } else if (value.IsTypedArray() &&
             value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
    input.reals = elements_of<float>(value, napi_float32_array, tensor.codes());
  } else {
    input.codes = codes_of(value, tensor);
  }
  return input;
}

// A copy that outlives the caller's arrays.
OwnedInput owned(const exec::Input& input, const Tensor& tensor) {
  OwnedInput copy;
  const auto keep = [&copy](OwnedInput::Kind kind, const void* from, size_t bytes) {
    copy.kind = kind;
    const auto* start = static_cast<const uint8_t*>(from);
    copy.bytes.assign(start, start + bytes);
  };
  if (input.codes != nullptr) keep(OwnedInput::Kind::codes, input.codes, tensor.bytes());
  if (input.reals != nullptr) keep(OwnedInput::Kind::reals, input.reals, tensor.codes() * 4);
  if (input.pixels != nullptr) {
    keep(OwnedInput::Kind::pixels, input.pixels, tensor.codes());
    copy.table.assign(input.table, input.table + static_cast<size_t>(tensor.channels) * 256);
  }
  return copy;
}

// null | "not-a-number" | "cancelled" | {op, element, value}
Napi::Value outcome_value(Napi::Env env, const Outcome& outcome) {
  if (outcome.cancelled) return Napi::String::New(env, "cancelled");
  if (outcome.not_a_number) return Napi::String::New(env, "not-a-number");
  if (outcome.op < 0) return env.Null();
  Napi::Object trap = Napi::Object::New(env);
  trap["op"] = Napi::Number::New(env, outcome.op);
  trap["element"] = Napi::Number::New(env, static_cast<double>(outcome.trap.element));
  trap["value"] = Napi::BigInt::New(env, outcome.trap.value);
  return trap;
}

// What TypeScript makes of it: an Error whose `outOfMemory` is true, or any other.
Napi::Error error_of(Napi::Env env, const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    Napi::Error error = Napi::RangeError::New(env, "out of memory");
    error.Set("outOfMemory", Napi::Boolean::New(env, true));
    return error;
  } catch (const std::exception& error) {
    return Napi::Error::New(env, error.what());
  } catch (...) {
    return Napi::Error::New(env, "unknown native exception");
  }
}

// Asks runs to end: new CancelToken(), then cancel() at any time.
class CancelToken : public Napi::ObjectWrap<CancelToken> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(env, "CancelToken", {InstanceMethod<&CancelToken::Cancel>("cancel")});
  }
  explicit CancelToken(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelToken>(info) {}

  const std::shared_ptr<std::atomic<bool>>& flag() const { return flag_; }

 private:
  void Cancel(const Napi::CallbackInfo&) { flag_->store(true); }

  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceMethod<&EngineObject::Info>("info"),
                        InstanceMethod<&EngineObject::RunSync>("runSync"),
                        InstanceMethod<&EngineObject::Run_>("run"),
                        InstanceMethod<&EngineObject::RunMany>("runMany"),
                        InstanceMethod<&EngineObject::Close>("close")});
  }

  // new Engine(bytes: Uint8Array, threads: number, tier: string, reference: boolean)
  explicit EngineObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineObject>(info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 4 || !info[0].IsTypedArray() || !info[1].IsNumber() ||
        !info[2].IsString() || !info[3].IsBoolean()) {
      throw Napi::TypeError::New(env, "expected (bytes, threads, tier, reference)");
    }
    const auto bytes = info[0].As<Napi::Uint8Array>();
    exec::EngineOptions options;
    options.threads = info[1].As<Napi::Number>().Int32Value();
    options.steps.cpu_flags = flags_of(env, info[2].As<Napi::String>());
    options.steps.reference = info[3].As<Napi::Boolean>().Value();
    if (options.threads < 1 || options.threads > 256) {
      throw Napi::RangeError::New(env, "threads must be in [1, 256]");
    }
    cpu_flags_ = options.steps.cpu_flags;
    Load(env, bytes.Data(), bytes.ByteLength(), options);
  }

  ~EngineObject() override {
    const Napi::Env env = Env();
    if (engine_ != nullptr) Napi::MemoryManagement::AdjustExternalMemory(env, -reported_bytes_);
    CloseQueue(env);
  }

 private:
  static uint32_t flags_of(Napi::Env env, const std::string& tier) {
    uint32_t flags = cpu::detect();
    if (tier.empty()) return flags;
    if (!cpu::tier_flags(tier, &flags)) throw Napi::RangeError::New(env, "unknown tier " + tier);
    if ((flags & cpu::detect()) != flags) {
      throw Napi::RangeError::New(env, "this CPU lacks the tier " + tier);
    }
    return flags;
  }

  void Load(Napi::Env env, const uint8_t* bytes, size_t size, const exec::EngineOptions& options) {
    std::vector<uint32_t> aligned;  // views of a larger buffer may start anywhere
    if (reinterpret_cast<uintptr_t>(bytes) % 4 != 0) {
      aligned.resize((size + 3) / 4);
      std::memcpy(aligned.data(), bytes, size);
      bytes = reinterpret_cast<const uint8_t*>(aligned.data());
    }
    program::LoadResult loaded = program::load(bytes, size);
    if (!loaded.ok) {
      Napi::Error error = Napi::Error::New(env, loaded.message);
      error.Set("offset", Napi::Number::New(env, static_cast<double>(loaded.offset)));
      throw error;
    }
    try {
      engine_ = std::make_shared<Engine>(std::move(loaded.program), options);
    } catch (...) {
      throw error_of(env, std::current_exception());
    }
    // Packed weights take about what the program does.
    report_memory(env, static_cast<int64_t>(size + engine_->context_bytes()));
  }

  // V8 sees a small object; what it holds lets it decide when to collect.
  void report_memory(Napi::Env env, int64_t bytes) {
    reported_bytes_ += bytes;
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  }

  Engine& engine(Napi::Env env) const {
    if (engine_ == nullptr) throw Napi::Error::New(env, "the engine is closed");
    return *engine_;
  }

  // {input, outputs, tensors: [...], ops: [...], threads, tier, arenaBytes}
  Napi::Value Info(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const exec::Model& model = engine(env).model();
    const program::Program& program = model.program();
    Napi::Object result = Napi::Object::New(env);
    result["target"] = Napi::String::New(env, program.target);
    result["input"] = Napi::Number::New(env, program.input);
    Napi::Array outputs = Napi::Array::New(env, program.outputs.size());
    for (uint32_t i = 0; i < program.outputs.size(); ++i) outputs[i] = program.outputs[i];
    result["outputs"] = outputs;
    result["tensors"] = tensors(env, program);
    result["ops"] = ops(env, model);
    result["threads"] = Napi::Number::New(env, engine_->threads());
    result["tier"] = Napi::String::New(env, cpu::tier_name(cpu_flags_));
    result["arenaBytes"] = Napi::Number::New(env, static_cast<double>(model.plan().arena_bytes));
    return result;
  }

  static Napi::Array tensors(Napi::Env env, const program::Program& program) {
    Napi::Array array = Napi::Array::New(env, program.tensors.size());
    for (uint32_t i = 0; i < program.tensors.size(); ++i) {
      const Tensor& t = program.tensors[i];
      Napi::Object tensor = Napi::Object::New(env);
      tensor["name"] = Napi::String::New(env, t.name);
      tensor["type"] = Napi::Number::New(env, static_cast<int32_t>(t.type));
      tensor["height"] = Napi::Number::New(env, t.height);
      tensor["width"] = Napi::Number::New(env, t.width);
      tensor["channels"] = Napi::Number::New(env, t.channels);
      tensor["zeroPoint"] = Napi::Number::New(env, t.zero_point);
      tensor["scale"] = Napi::Number::New(env, static_cast<double>(t.scale));
      array[i] = tensor;
    }
    return array;
  }

  static Napi::Array ops(Napi::Env env, const exec::Model& model) {
    const auto& source = model.program().ops;
    Napi::Array array = Napi::Array::New(env, source.size());
    for (uint32_t i = 0; i < source.size(); ++i) {
      Napi::Object op = Napi::Object::New(env);
      const program::Range& range = model.accumulator_ranges()[i];
      op["name"] = Napi::String::New(env, source[i].name);
      op["opcode"] = Napi::Number::New(env, static_cast<int32_t>(source[i].opcode()));
      op["output"] = Napi::Number::New(env, source[i].output);
      op["kernel"] = Napi::String::New(env, model.steps()[i]->kernel());
      op["macs"] = Napi::Number::New(env, macs_of(model.program(), source[i]));
      op["accMin"] = Napi::BigInt::New(env, range.min);
      op["accMax"] = Napi::BigInt::New(env, range.max);
      array[i] = op;
    }
    return array;
  }

  static double macs_of(const program::Program& program, const program::Op& op) {
    const program::Conv* conv = std::get_if<program::Conv>(&op.body);
    if (conv == nullptr) return 0;
    return static_cast<double>(conv->reduction()) *
           static_cast<double>(program.tensors[op.output].codes());
  }

  // Pairs a list of tensor indices with the arrays that take their codes.
  template <class Visit>
  void each_copy(const Napi::Value& indices, const Napi::Value& arrays, Visit visit) {
    const Napi::Env env = indices.Env();
    if (!indices.IsArray() || !arrays.IsArray() ||
        indices.As<Napi::Array>().Length() != arrays.As<Napi::Array>().Length()) {
      throw Napi::TypeError::New(env, "expected as many arrays as tensor indices");
    }
    const auto& tensors = engine(env).model().program().tensors;
    const auto index_array = indices.As<Napi::Array>();
    const auto code_arrays = arrays.As<Napi::Array>();
    for (uint32_t i = 0; i < index_array.Length(); ++i) {
      const Napi::Value index = index_array[i];
      if (!index.IsNumber()) throw Napi::TypeError::New(env, "expected a tensor index");
      const int64_t at = index.As<Napi::Number>().Int64Value();
      if (at < 0 || at >= static_cast<int64_t>(tensors.size())) {
        throw Napi::RangeError::New(env, "no such tensor");
      }
      const Napi::Value codes = code_arrays[i];
      codes_of(codes, tensors[static_cast<size_t>(at)]);
      visit(static_cast<uint32_t>(at), codes.As<Napi::TypedArray>());
    }
  }

  const Tensor& input_tensor(Napi::Env env) const {
    const program::Program& program = engine(env).model().program();
    return program.tensors[program.input];
  }

  // runSync(input, indices: number[], arrays: TypedArray[], opNs?: Float64Array) -> outcome_value
  Napi::Value RunSync(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    Job job;
    job.input = input_of(info[0], input_tensor(env));
    const auto& tensors = engine(env).model().program().tensors;
    each_copy(info[1], info[2], [&](uint32_t index, const Napi::TypedArray& array) {
      job.copies.push_back({index, codes_of(array, tensors[index])});
    });
    std::vector<uint64_t> op_ns(engine_->model().program().ops.size());
    const bool timed = info[3].IsTypedArray();
    if (timed) job.op_ns = &op_ns;
    const Outcome outcome = engine_->run(job);
    if (timed) copy_times(op_ns, info[3]);
    return outcome_value(env, outcome);
  }

  static void copy_times(const std::vector<uint64_t>& op_ns, const Napi::Value& value) {
    const auto array = value.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_float64_array || array.ElementLength() != op_ns.size()) {
      throw Napi::TypeError::New(value.Env(), "expected a Float64Array, one entry per operation");
    }
    auto times = array.As<Napi::Float64Array>();
    for (size_t i = 0; i < op_ns.size(); ++i) times[i] = static_cast<double>(op_ns[i]);
  }

  using Arrays = std::vector<Napi::ObjectReference>;

  // What JavaScript waits for: a promise, and the arrays that take the results of each job.
  struct Pending {
    std::shared_ptr<Run> run;
    Napi::Promise::Deferred deferred;
    std::vector<Arrays> arrays;
  };

  // A job whose codes belong to it: the caller may do with the arrays what it likes while a thread
  // works. Results are copied into them at the end.
  OwnedJob Own(const Napi::Value& input, const Napi::Value& indices, const Napi::Value& arrays,
               Arrays* kept) {
    const Napi::Env env = input.Env();
    const auto& tensors = engine(env).model().program().tensors;
    const Tensor& tensor = input_tensor(env);
    OwnedJob job;
    job.input = owned(input_of(input, tensor), tensor);
    each_copy(indices, arrays, [&](uint32_t index, const Napi::TypedArray& array) {
      job.copies.push_back({index, std::vector<uint8_t>(tensors[index].bytes())});
      kept->push_back(Napi::Persistent(array.As<Napi::Object>()));
    });
    return job;
  }

  // run(input, indices, arrays, token?) -> Promise<outcome_value>
  Napi::Value Run_(const Napi::CallbackInfo& info) {
    auto run = std::make_shared<Run>();
    std::vector<Arrays> arrays(1);
    run->jobs.push_back(Own(info[0], info[1], info[2], &arrays[0]));
    return Queue(info.Env(), std::move(run), std::move(arrays), info[3]);
  }

  // runMany(inputs[], indices, arrays: TypedArray[][], token?) -> Promise<outcome_value[]>
  Napi::Value RunMany(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsArray() || !info[2].IsArray() ||
        info[0].As<Napi::Array>().Length() != info[2].As<Napi::Array>().Length()) {
      throw Napi::TypeError::New(env, "expected as many lists of arrays as inputs");
    }
    const auto inputs = info[0].As<Napi::Array>();
    const auto lists = info[2].As<Napi::Array>();
    auto run = std::make_shared<Run>();
    run->many = true;
    std::vector<Arrays> arrays(inputs.Length());
    for (uint32_t i = 0; i < inputs.Length(); ++i) {
      run->jobs.push_back(Own(inputs[i], info[1], lists[i], &arrays[i]));
    }
    return Queue(env, std::move(run), std::move(arrays), info[3]);
  }

  Napi::Value Queue(Napi::Env env, std::shared_ptr<Run> run, std::vector<Arrays> arrays,
                    const Napi::Value& token) {
    run->cancel = token.IsObject() ? CancelToken::Unwrap(token.As<Napi::Object>())->flag()
                                   : std::make_shared<std::atomic<bool>>(false);
    if (queue_ == nullptr) OpenQueue(env);
    const auto deferred = Napi::Promise::Deferred::New(env);
    const Napi::Promise promise = deferred.Promise();
    // A waiting promise keeps this object and the process alive.
    if (pending_.empty()) {
      Ref();
      results_.Ref(env);
    }
    pending_.emplace(run.get(), Pending{run, deferred, std::move(arrays)});
    queue_->push(std::move(run));
    return promise;
  }

  // Results come back as calls on the thread of JavaScript.
  void OpenQueue(Napi::Env env) {
    results_ = Results::New(env, "lastbit runs", 0, 1, this);
    results_.Unref(env);
    queue_ =
        std::make_unique<RunQueue>(engine_, [this](Run* run) { results_.NonBlockingCall(run); });
    // Of hooks the last one added is called first: before results_ closes. A worker that is
    // terminated waits for one task, not for all runs.
    hook_ = env.AddCleanupHook(+[](EngineObject* self) { self->queue_.reset(); }, this);
  }

  static void Finished(Napi::Env env, Napi::Function, EngineObject* self, Run* run) {
    if (env != nullptr && self->pending_.count(run) != 0) self->Settle(env, run);
  }

  void Settle(Napi::Env env, Run* run) {
    const Napi::HandleScope scope(env);
    const Pending pending = std::move(pending_.at(run));
    pending_.erase(run);
    if (run->error != nullptr) {
      pending.deferred.Reject(error_of(env, run->error).Value());
    } else {
      pending.deferred.Resolve(results_of(env, pending));
    }
    if (!pending_.empty()) return;
    results_.Unref(env);
    if (engine_ == nullptr) CloseQueue(env);
    Unref();
  }

  static Napi::Value results_of(Napi::Env env, const Pending& pending) {
    const Run& run = *pending.run;
    for (size_t i = 0; i < run.jobs.size(); ++i) {
      for (size_t k = 0; k < run.jobs[i].copies.size(); ++k) {
        hand_over(run.jobs[i].copies[k], pending.arrays[i][k]);
      }
    }
    if (!run.many) return outcome_value(env, run.outcomes.front());
    Napi::Array array = Napi::Array::New(env, run.outcomes.size());
    for (size_t i = 0; i < run.outcomes.size(); ++i) {
      array[static_cast<uint32_t>(i)] = outcome_value(env, run.outcomes[i]);
    }
    return array;
  }

  static void hand_over(const OwnedCopy& copy, const Napi::ObjectReference& reference) {
    const auto array = reference.Value().As<Napi::TypedArray>();
    // An array that was transferred away meanwhile has no bytes left to fill.
    if (array.ByteLength() != copy.codes.size()) return;
    std::memcpy(static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset(),
                copy.codes.data(), copy.codes.size());
  }

  void CloseQueue(Napi::Env env) {
    if (queue_ == nullptr) return;
    queue_.reset();
    results_.Release();
    hook_.Remove(env);
  }

  // Lets go of the engine; runs in flight keep it alive until they end.
  void Close(const Napi::CallbackInfo& info) {
    if (engine_ == nullptr) return;
    engine_.reset();
    report_memory(info.Env(), -reported_bytes_);
    if (pending_.empty()) CloseQueue(info.Env());
  }

  using Results = Napi::TypedThreadSafeFunction<EngineObject, Run, &EngineObject::Finished>;

  std::shared_ptr<Engine> engine_;
  uint32_t cpu_flags_ = 0;
  int64_t reported_bytes_ = 0;
  // Of runs off the thread: none before the first one.
  std::unique_ptr<RunQueue> queue_;
  Results results_;
  Napi::Env::CleanupHook<void (*)(EngineObject*), EngineObject> hook_;
  std::map<Run*, Pending> pending_;
};

}  // namespace

Napi::Function engine_class(Napi::Env env) { return EngineObject::Class(env); }
Napi::Function cancel_token_class(Napi::Env env) { return CancelToken::Class(env); }

}  // namespace lastbit::addon
