// SPDX-License-Identifier: Apache-2.0
#include "addon/solve.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "solve/gram.h"
#include "solve/rounding.h"

namespace lastbit::addon {
namespace {

constexpr int32_t most_threads = 256;

template <class Array>
Array typed(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type) {
    return value.As<Array>();
  }
  throw Napi::TypeError::New(value.Env(), std::string("expected another array for ") + name);
}

template <class Element, class Array>
std::vector<Element> copied(const Napi::Value& value, napi_typedarray_type type, const char* name) {
  const auto array = typed<Array>(value, type, name);
  return {array.Data(), array.Data() + array.ElementLength()};
}

Napi::Float64Array to_array(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

int32_t threads_of(const Napi::Value& value) {
  const int32_t threads = value.IsNumber() ? value.As<Napi::Number>().Int32Value() : 0;
  if (threads >= 1 && threads <= most_threads) return threads;
  throw Napi::RangeError::New(value.Env(), "threads must be in [1, 256]");
}

bool is_geometry(const solve::Geometry& g) {
  for (const int32_t size : {g.channels, g.height, g.width, g.kernel_h, g.kernel_w, g.stride_h,
                             g.stride_w, g.dilation_h, g.dilation_w, g.out_h, g.out_w, g.groups}) {
    if (size < 1 || size > 1 << 20) return false;
  }
  for (const int32_t pad : {g.pad_top, g.pad_left}) {
    if (pad < -(1 << 20) || pad > 1 << 20) return false;
  }
  const int64_t terms = int64_t{g.channels} / g.groups * g.kernel_h * g.kernel_w;
  return g.channels % g.groups == 0 && terms <= 1 << 15;
}

class GramSumObject : public Napi::ObjectWrap<GramSumObject> {
 public:
  explicit GramSumObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GramSumObject>(info) {
    const auto n = copied<int32_t, Napi::Int32Array>(info[0], napi_int32_array, "geometry");
    if (n.size() != 14) throw Napi::TypeError::New(info.Env(), "expected 14 numbers of geometry");
    const solve::Geometry g{n[0], n[1], n[2], n[3],  n[4],  n[5],  n[6],
                            n[7], n[8], n[9], n[10], n[11], n[12], n[13]};
    if (!is_geometry(g)) throw Napi::RangeError::New(info.Env(), "no such geometry");
    const bool cross = info[2].ToBoolean();
    sum_ = std::make_unique<solve::GramSum>(g, threads_of(info[1]), cross);
  }

  void Add(const Napi::CallbackInfo& info) {
    const solve::Geometry& g = sum_->geometry();
    const size_t size = static_cast<size_t>(g.channels) * static_cast<size_t>(g.height) *
                        static_cast<size_t>(g.width);
    const auto quantized = typed<Napi::Float32Array>(info[0], napi_float32_array, "quantized");
    const auto real = typed<Napi::Float32Array>(info[1], napi_float32_array, "real");
    const auto positions = typed<Napi::Int32Array>(info[2], napi_int32_array, "positions");
    if (quantized.ElementLength() != size || real.ElementLength() != size) {
      throw Napi::RangeError::New(info.Env(), "expected " + std::to_string(size) + " values");
    }
    for (size_t i = 0; i < positions.ElementLength(); ++i) {
      const int64_t position = positions.Data()[i];
      if (position < 0 || position >= int64_t{g.out_h} * g.out_w) {
        throw Napi::RangeError::New(info.Env(), "no such position");
      }
    }
    sum_->add(quantized.Data(), real.Data(), positions.Data(), positions.ElementLength());
  }

  Napi::Value Result(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const solve::Gram gram = sum_->result();
    Napi::Object result = Napi::Object::New(env);
    result["count"] = Napi::Number::New(env, gram.count);
    result["covariance"] = to_array(env, gram.covariance);
    result["cross"] = to_array(env, gram.cross);
    result["meanQuantized"] = to_array(env, gram.mean_quantized);
    result["imageQuantized"] = to_array(env, gram.image_quantized);
    result["imageReal"] = to_array(env, gram.image_real);
    return result;
  }

 private:
  std::unique_ptr<solve::GramSum> sum_;
};

// Owns its numbers: the caller may do with its arrays what it likes meanwhile.
class RoundWorker : public Napi::AsyncWorker {
 public:
  RoundWorker(Napi::Env env, const Napi::Object& problem)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {
    layer_.outputs = count(problem.Get("outputs"));
    layer_.terms = count(problem.Get("terms"));
    layer_.groups = count(problem.Get("groups"));
    weights_ =
        copied<float, Napi::Float32Array>(problem.Get("weights"), napi_float32_array, "weights");
    covariance_ = doubles(problem, "covariance");
    cross_ = doubles(problem, "cross");
    grid_.scales =
        copied<float, Napi::Float32Array>(problem.Get("scales"), napi_float32_array, "scales");
    grid_.zero_points = copied<int32_t, Napi::Int32Array>(problem.Get("zeroPoints"),
                                                          napi_int32_array, "zeroPoints");
    grid_.least = number(problem.Get("least")).Int32Value();
    grid_.greatest = number(problem.Get("greatest")).Int32Value();
    options_.method = method_of(problem.Get("method"));
    options_.damping = number(problem.Get("damping")).DoubleValue();
    options_.sweeps = number(problem.Get("sweeps")).Int32Value();
    options_.iterations = number(problem.Get("iterations")).Int32Value();
    options_.ratios = doubles(problem, "ratios");
    options_.least_scales = copied<float, Napi::Float32Array>(problem.Get("leastScales"),
                                                              napi_float32_array, "leastScales");
    options_.refit = problem.Get("refit").ToBoolean().Value();
    options_.threads = threads_of(problem.Get("threads"));
    check(env);
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    layer_.weights = weights_.data();
    layer_.covariance = covariance_.data();
    layer_.cross = cross_.empty() ? nullptr : cross_.data();
    rounded_ = solve::round_weights(layer_, grid_, options_);
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    Napi::Object result = Napi::Object::New(env);
    Napi::Int32Array codes = Napi::Int32Array::New(env, rounded_.codes.size());
    std::copy(rounded_.codes.begin(), rounded_.codes.end(), codes.Data());
    Napi::Float32Array scales = Napi::Float32Array::New(env, rounded_.scales.size());
    std::copy(rounded_.scales.begin(), rounded_.scales.end(), scales.Data());
    result["codes"] = codes;
    result["scales"] = scales;
    result["before"] = Napi::Number::New(env, rounded_.before);
    result["after"] = Napi::Number::New(env, rounded_.after);
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  static Napi::Number number(const Napi::Value& value) {
    if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), "expected a number");
    return value.As<Napi::Number>();
  }

  static size_t count(const Napi::Value& value) {
    const int64_t n = number(value).Int64Value();
    if (n < 1 || n > 1 << 20) throw Napi::RangeError::New(value.Env(), "no such size");
    return static_cast<size_t>(n);
  }

  static std::vector<double> doubles(const Napi::Object& problem, const char* name) {
    return copied<double, Napi::Float64Array>(problem.Get(name), napi_float64_array, name);
  }

  static solve::Method method_of(const Napi::Value& value) {
    const std::string name = value.ToString();
    if (name == "nearest") return solve::Method::nearest;
    if (name == "descent") return solve::Method::descent;
    if (name == "gptq") return solve::Method::in_order;
    if (name == "adaround") return solve::Method::learned;
    throw Napi::RangeError::New(value.Env(), "unknown method " + name);
  }

  void check(Napi::Env env) const {
    const auto is_one_or_all = [&](size_t size) { return size == 1 || size == layer_.outputs; };
    const size_t square = layer_.groups * layer_.terms * layer_.terms;
    const bool fits =
        layer_.outputs % layer_.groups == 0 && weights_.size() == layer_.outputs * layer_.terms &&
        covariance_.size() == square && (cross_.empty() || cross_.size() == square) &&
        is_one_or_all(grid_.scales.size()) && is_one_or_all(grid_.zero_points.size()) &&
        grid_.least <= grid_.greatest &&
        (options_.least_scales.empty() || options_.least_scales.size() == layer_.outputs);
    if (!fits) throw Napi::RangeError::New(env, "sizes of the rounding problem do not agree");
  }

  Napi::Promise::Deferred deferred_;
  std::vector<float> weights_;
  std::vector<double> covariance_, cross_;
  solve::Layer layer_{};
  solve::Grid grid_{};
  solve::RoundingOptions options_;
  solve::Rounded rounded_;
};

}  // namespace

Napi::Function gram_sum_class(Napi::Env env) {
  return GramSumObject::DefineClass(
      env, "GramSum",
      {GramSumObject::InstanceMethod<&GramSumObject::Add>("add"),
       GramSumObject::InstanceMethod<&GramSumObject::Result>("result")});
}

Napi::Value round_weights(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "expected a problem");
  auto worker = std::make_unique<RoundWorker>(info.Env(), info[0].As<Napi::Object>());
  const Napi::Promise promise = worker->promise();
  worker.release()->Queue();
  return promise;
}

}  // namespace lastbit::addon
