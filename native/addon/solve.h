// SPDX-License-Identifier: Apache-2.0
// What the solvers of native/solve look like from TypeScript (src/engine/solver.ts).
#pragma once
#include <napi.h>

namespace lastbit::addon {

// class GramSum(geometry: Int32Array, threads, cross): add(quantized, real, positions), result()
Napi::Function gram_sum_class(Napi::Env env);

// roundWeights(problem) -> Promise<{codes, scales, before, after}>
Napi::Value round_weights(const Napi::CallbackInfo& info);

}  // namespace lastbit::addon
