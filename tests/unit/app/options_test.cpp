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

TEST(options, a_file_to_serve_or_to_check) {
    const parsed_command_line serve = parse({"--config", "a.json"});
    ASSERT_TRUE(serve.command.has_value());
    EXPECT_EQ(serve.command->config_path, "a.json");
    EXPECT_EQ(serve.command->what, command_line::task::serve);
    const parsed_command_line check = parse({"--check-config", "b.json"});
    ASSERT_TRUE(check.command.has_value());
    EXPECT_EQ(check.command->config_path, "b.json");
    EXPECT_EQ(check.command->what, command_line::task::check_config);
    const parsed_command_line journal = parse({"--check-journal", "c.json"});
    ASSERT_TRUE(journal.command.has_value());
    EXPECT_EQ(journal.command->config_path, "c.json");
    EXPECT_EQ(journal.command->what, command_line::task::check_journal);
    const parsed_command_line recover = parse({"--recover", "--config", "d.json"});
    ASSERT_TRUE(recover.command.has_value());
    EXPECT_EQ(recover.command->config_path, "d.json");
    EXPECT_EQ(recover.command->what, command_line::task::recover);
}

TEST(options, wrong_usage_is_two_and_help_is_not) {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{},
                                               {"--config"},
                                               {"--nonsense"},
                                               {"-c", "a", "--check-config", "b"},
                                               {"--recover"},
                                               {"-c", "a", "--check-journal", "b"}}) {
        const parsed_command_line wrong = parse(words);
        EXPECT_FALSE(wrong.command.has_value());
        EXPECT_EQ(wrong.exit_code, 2);
    }
    EXPECT_EQ(parse({"--help"}).exit_code, 0);
    EXPECT_FALSE(parse({"--version"}).command.has_value());
}

}  // namespace
}  // namespace fulmar::app
