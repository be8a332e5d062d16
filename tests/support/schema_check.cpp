#include "schema_check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace fulmar::test {

std::string source_path(const std::string& name) {
    const char* root = std::getenv("FULMAR_SOURCE_DIR");
    return std::string(root == nullptr ? "." : root) + "/" + name;
}

std::optional<nlohmann::json> check_schema(
    const std::string& schema,
    const std::vector<std::pair<std::string, nlohmann::json>>& documents) {
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("fulmar_schema_" + std::to_string(::getpid()));
    std::ofstream(file) << nlohmann::json(documents).dump();
    const std::string command = "python3 " + source_path("tests/support/check_schema.py") + " " +
                                schema + " " + file.string();
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot run python3");
    std::string output;
    char block[4096];
    while (const std::size_t got = std::fread(block, 1, sizeof block, pipe))
        output.append(block, got);
    const int status = ::pclose(pipe);
    std::filesystem::remove(file);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
    if (status != 0) throw std::runtime_error("check_schema.py failed: " + output);
    return nlohmann::json::parse(output);
}

}  // namespace fulmar::test
