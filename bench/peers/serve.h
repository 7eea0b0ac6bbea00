// SPDX-License-Identifier: Apache-2.0
// How a peer talks to `lastbit bench`: it reads a program, says on one line that it is ready, and
// then answers every line with a number n on standard input by n timed runs, as a JSON array of
// milliseconds on one line. Whoever asks decides whose turn it is.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "program/load.h"

namespace lastbit::peers {

[[noreturn]] inline void refuse(const std::string& reason) {
  std::printf("{\"refused\": \"%s\"}\n", reason.c_str());
  std::exit(1);
}

// A program and the bytes that its weights point into.
struct LoadedFile {
  std::vector<uint32_t> words;
  program::Program program;
};

inline LoadedFile read_program(const char* path) {
  LoadedFile file;
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) refuse(std::string("cannot read ") + path);
  const auto size = static_cast<size_t>(stream.tellg());
  file.words.resize(size / 4 + 1);
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(file.words.data()), static_cast<std::streamsize>(size));
  program::LoadResult result =
      program::load(reinterpret_cast<const uint8_t*>(file.words.data()), size);
  if (!result.ok) refuse(result.message);
  file.program = std::move(result.program);
  return file;
}

// The input codes, from a file of as many bytes as the input tensor has.
inline std::vector<uint8_t> read_input(const char* path, const program::Tensor& input) {
  std::vector<uint8_t> bytes(input.bytes());
  std::ifstream stream(path, std::ios::binary);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) refuse(std::string("cannot read ") + path);
  return bytes;
}

// `facts` are further members of the ready line, each preceded by a comma.
template <class Run>
int serve(const char* name, const std::string& facts, Run run) {
  using Clock = std::chrono::steady_clock;
  std::printf("{\"ready\": \"%s\"%s}\n", name, facts.c_str());
  std::fflush(stdout);
  int count = 0;
  while (std::scanf("%d", &count) == 1) {
    std::string line = "[";
    for (int i = 0; i < count; ++i) {
      const auto begin = Clock::now();
      run();
      const std::chrono::duration<double, std::milli> taken = Clock::now() - begin;
      line += (i == 0 ? "" : ",") + std::to_string(taken.count());
    }
    std::printf("%s]\n", line.c_str());
    std::fflush(stdout);
  }
  return 0;
}

// Members "output": the codes of a tensor.
template <class Code>
std::string output_fact(const std::vector<Code>& codes) {
  std::string fact = ", \"output\": [";
  for (size_t i = 0; i < codes.size(); ++i) fact += (i == 0 ? "" : ",") + std::to_string(codes[i]);
  return fact + "]";
}

}  // namespace lastbit::peers
