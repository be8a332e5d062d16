// Configurations that the documents show are configurations.
#include <fulmar/admin/config.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fulmar::admin {
namespace {

/// Indented blocks of `document` that are objects of several lines.
std::vector<std::string> objects_of(const std::filesystem::path& document) {
    constexpr std::size_t indent = 4;
    std::vector<std::string> all;
    std::ifstream in(document);
    std::string block;
    for (std::string line; std::getline(in, line);) {
        const bool inside = line.starts_with("    ");
        if (block.empty() && line != "    {") continue;
        if (inside) {
            block += line.substr(indent) + '\n';
            continue;
        }
        all.push_back(std::move(block));
        block.clear();
    }
    return all;
}

TEST(documents, show_configurations_that_are_accepted) {
    const char* source = std::getenv("FULMAR_SOURCE_DIR");
    const std::filesystem::path docs = std::filesystem::path(source != nullptr ? source : ".");
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(docs / "docs")) {
        if (entry.path().extension() != ".md") continue;
        for (const std::string& object : objects_of(entry.path())) {
            if (object.find("\"subsystems\"") == std::string::npos) continue;
            SCOPED_TRACE(entry.path().string() + ":\n" + object);
            ++found;
            const config_outcome outcome = parse_config(object);
            if (outcome) continue;
            for (const std::string& line : outcome.error().lines("here")) ADD_FAILURE() << line;
        }
    }
    EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace fulmar::admin
