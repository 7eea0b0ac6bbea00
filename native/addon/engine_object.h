// SPDX-License-Identifier: Apache-2.0
// An engine as JavaScript holds it (src/engine/engine.ts): runs on the caller's thread or off it.
#pragma once
#include <napi.h>

namespace lastbit::addon {

// class Engine(bytes, threads, tier, reference): info(), runSync(), run(), runMany(), close()
Napi::Function engine_class(Napi::Env env);

// class CancelToken(): cancel()
Napi::Function cancel_token_class(Napi::Env env);

}  // namespace lastbit::addon
