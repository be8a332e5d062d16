// docs/regressions.md names cases; each must be there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace fulmar::sim {
namespace {

std::filesystem::path source() {
    const char* folder = std::getenv("FULMAR_SOURCE_DIR");
    return folder != nullptr ? folder : ".";
}

std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

// "TEST(suite, name" and its kind, as "suite.name".
std::set<std::string> cases_there() {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(source() / "tests")) {
        if (!entry.path().string().ends_with("_test.cpp")) continue;
        const std::string text = text_of(entry.path());
        for (const std::string opening : {"\nTEST(", "\nTEST_F(", "\nTEST_P(", "\nCONFORMANCE("})
            for (std::size_t at = 0; (at = text.find(opening, at)) != std::string::npos; ++at) {
                const std::size_t begin = at + opening.size();
                const std::size_t comma = text.find(',', begin);
                const std::size_t name = text.find_first_not_of(" \n", comma + 1);
                const std::size_t end = text.find_first_of(",)", name);
                all.insert(text.substr(begin, comma - begin) + "." + text.substr(name, end - name));
            }
    }
    return all;
}

TEST(regressions, every_case_of_the_document_exists) {
    const std::set<std::string> there = cases_there();
    EXPECT_TRUE(there.contains("regressions.every_case_of_the_document_exists"));
    std::istringstream document(text_of(source() / "docs/regressions.md"));
    std::size_t rows = 0;
    std::size_t named = 0;
    for (std::string line; std::getline(document, line);) {
        if (!line.starts_with('|') || line.starts_with("|---") || line.starts_with("| report"))
            continue;
        ++rows;
        const std::size_t before = named;
        for (std::size_t at = 0; (at = line.find('`', at)) != std::string::npos;) {
            const std::size_t end = line.find('`', at + 1);
            ASSERT_NE(end, std::string::npos) << line;
            const std::string name = line.substr(at + 1, end - at - 1);
            EXPECT_TRUE(there.contains(name)) << "there is no case " << name;
            ++named;
            at = end + 1;
        }
        const bool excused = line.find("does not apply: ") != std::string::npos ||
                             line.find("the same two") != std::string::npos;
        EXPECT_NE(named != before, excused) << line;
    }
    EXPECT_GE(rows, 40u);
}

}  // namespace
}  // namespace fulmar::sim
