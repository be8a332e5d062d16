// The daemon's command line.
#include "options.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fulmar::app {
namespace {

parsed_command_line parse(std::vector<std::string> words) {
    words.insert(words.begin(), "fulmard");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    parsed_command_line out =
        parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    ::testing::internal::GetCapturedStdout();
    ::testing::internal::GetCapturedStderr();
    return out;
}

TEST(Options, AFileToServeOrToCheck) {
    const parsed_command_line serve = parse({"--config", "a.json"});
    ASSERT_TRUE(serve.command.has_value());
    EXPECT_EQ(serve.command->config_path, "a.json");
    EXPECT_FALSE(serve.command->check_only);
    const parsed_command_line check = parse({"--check-config", "b.json"});
    ASSERT_TRUE(check.command.has_value());
    EXPECT_EQ(check.command->config_path, "b.json");
    EXPECT_TRUE(check.command->check_only);
}

TEST(Options, WrongUsageIsTwoAndHelpIsNot) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {}, {"--config"}, {"--nonsense"}, {"-c", "a", "--check-config", "b"}}) {
        const parsed_command_line wrong = parse(words);
        EXPECT_FALSE(wrong.command.has_value());
        EXPECT_EQ(wrong.exit_code, 2);
    }
    EXPECT_EQ(parse({"--help"}).exit_code, 0);
    EXPECT_FALSE(parse({"--version"}).command.has_value());
}

}  // namespace
}  // namespace fulmar::app
