// SPDX-License-Identifier: Apache-2.0
// First process of the emulated machine: runs each line of /commands (words between blanks, no
// quotes) and writes its exit status to the console, then "done".
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

int run(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : arguments) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execv(argv[0], argv.data());
    std::perror(argv[0]);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main() {
  mount("proc", "/proc", "proc", 0, nullptr);
  std::ifstream commands("/commands");
  for (std::string line; std::getline(commands, line);) {
    std::printf("run: %s\n", line.c_str());
    std::fflush(stdout);
    std::printf("exit %d: %s\n", run(line), line.c_str());
    std::fflush(stdout);
  }
  std::puts("done");
  std::fflush(stdout);
  for (;;) pause();  // the machine is stopped from outside
}
