// SPDX-License-Identifier: Apache-2.0
// This library's engine as a process of its own, without Node: what bench/ counts instructions of
// and sets beside a busy neighbour. Speaks as bench/peers/serve.h says.
//   engine PROGRAM.lbp INPUT.bin THREADS [TIER|reference] [run|many|layers]
// `many`: a run is one run_many of 16 images. `layers`: a further line at the end holds the kernel
// and the least microseconds of each operation over all runs.
#include "exec/engine.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "cpu.h"
#include "peers/serve.h"

namespace lastbit::peers {
namespace {

exec::EngineOptions options_of(int32_t threads, const std::string& tier) {
  exec::EngineOptions options;
  options.threads = threads;
  options.steps.cpu_flags = cpu::detect();
  options.steps.reference = tier == "reference";
  uint32_t flags = 0;
  if (options.steps.reference || tier == "best") return options;
  if (!cpu::tier_flags(tier.c_str(), &flags)) refuse("unknown tier " + tier);
  if ((flags & ~cpu::detect()) != 0) refuse("this machine has no " + tier);
  options.steps.cpu_flags = flags;
  return options;
}

// FNV-1a of all outputs' bytes.
uint64_t hash_of(const std::vector<std::vector<uint8_t>>& outputs) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto& bytes : outputs) {
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  }
  return hash;
}

// Time by operation, the least of the runs.
class LayerTimes {
 public:
  explicit LayerTimes(const exec::Model& model)
      : model_(model), least_(model.program().ops.size(), ~0ull) {}
  void take(const std::vector<uint64_t>& ns) {
    for (size_t i = 0; i < ns.size(); ++i) least_[i] = std::min(least_[i], ns[i]);
  }
  void print() const {
    std::printf("[");
    for (size_t i = 0; i < least_.size(); ++i) {
      std::printf("%s{\"name\": \"%s\", \"kernel\": \"%s\", \"us\": %.1f}", i == 0 ? "" : ", ",
                  model_.program().ops[i].name.c_str(), model_.steps()[i]->kernel(),
                  static_cast<double>(least_[i]) / 1e3);
    }
    std::printf("]\n");
  }

 private:
  const exec::Model& model_;
  std::vector<uint64_t> least_;
};

int run(int argc, char** argv) {
  LoadedFile file = read_program(argv[1]);
  const program::Program& program = file.program;
  const auto input = read_input(argv[2], program.tensors[program.input]);
  const std::string tier = argc > 4 ? argv[4] : "best", mode = argc > 5 ? argv[5] : "run";
  std::vector<std::vector<uint8_t>> outputs;
  exec::Job job;
  job.input.codes = input.data();
  for (const uint32_t tensor : program.outputs)
    outputs.emplace_back(program.tensors[tensor].bytes());
  for (size_t i = 0; i < outputs.size(); ++i) {
    job.copies.push_back({program.outputs[i], outputs[i].data()});
  }
  exec::Engine engine(std::move(file.program), options_of(std::atoi(argv[3]), tier));
  engine.run(job);
  const std::string facts = ", \"hash\": \"" + std::to_string(hash_of(outputs)) + "\"";
  if (mode == "many") {
    constexpr size_t images = 16;
    exec::Job silent;  // outputs of one image only: the others would write over each other
    silent.input.codes = input.data();
    const std::vector<exec::Job> jobs(images, silent);
    return serve("lastbit", facts, [&] { engine.run_many(jobs); });
  }
  if (mode == "layers") {
    std::vector<uint64_t> ns(engine.model().program().ops.size());
    job.op_ns = &ns;
    LayerTimes times(engine.model());
    const int code = serve("lastbit", facts, [&] {
      engine.run(job);
      times.take(ns);
    });
    times.print();
    return code;
  }
  return serve("lastbit", facts, [&] { engine.run(job); });
}

}  // namespace
}  // namespace lastbit::peers

int main(int argc, char** argv) {
  if (argc < 4) {
    lastbit::peers::refuse("usage: engine PROGRAM.lbp INPUT.bin THREADS [TIER|reference] [MODE]");
  }
  return lastbit::peers::run(argc, argv);
}
