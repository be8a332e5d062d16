// The commands as a user types them, against a peer that answers everything.
#include "commands.hpp"

#include "exit.hpp"
#include "rest_commands.hpp"
#include "suggest.hpp"
#include "support/running_peer.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace fulmar::cli {
namespace {

struct outcome {
    int code = 0;
    std::string out;
    std::string err;
};

outcome run(std::vector<std::string> words) {
    CLI::App app{"test", "fulmar"};
    app.require_subcommand(1);
    for (const auto add :
         {add_discover, add_connect_check, add_identify, add_read, add_write, add_verify, add_perf})
        add(app);
    add_rest_commands(app);
    std::vector<char*> arguments{const_cast<char*>("fulmar")};
    for (std::string& word : words) arguments.push_back(word.data());
    outcome o;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    try {
        app.parse(static_cast<int>(arguments.size()), arguments.data());
    } catch (const CLI::RuntimeError& e) {
        o.code = e.get_exit_code();
    } catch (const CLI::ParseError& e) {
        o.code = explain(app, e);
    }
    std::fflush(stdout);
    o.out = ::testing::internal::GetCapturedStdout();
    o.err = ::testing::internal::GetCapturedStderr();
    return o;
}

struct commands_test : ::testing::Test {
    /// `words` of a command, with the peer's address behind.
    outcome here(std::vector<std::string> words) {
        words.insert(words.end(), {"--port", std::to_string(peer.options().target.port), "--nqn",
                                   "nqn.2026-11.x:y"});
        return run(std::move(words));
    }
    test::running_peer peer;
};

TEST_F(commands_test, identify_as_text_and_as_json) {
    const outcome text = here({"identify"});
    EXPECT_EQ(text.code, 0) << text.err;
    EXPECT_NE(text.out.find("null peer"), std::string::npos);
    EXPECT_NE(text.out.find("4 MiB"), std::string::npos);
    const outcome json = here({"identify", "--json"});
    ASSERT_EQ(json.code, 0) << json.err;
    const auto parsed = nlohmann::json::parse(json.out);
    EXPECT_EQ(parsed["controller"]["model"], "null peer");
    EXPECT_EQ(parsed["namespaces"][0]["blocks"], 1024);
}

TEST_F(commands_test, connect_check_names_its_steps) {
    const outcome o = here({"connect-check"});
    EXPECT_EQ(o.code, 0) << o.err;
    for (const char* step : {"enable", "keep alive", "I/O queue", "read of block 0", "shutdown"})
        EXPECT_NE(o.out.find(step), std::string::npos) << step;
}

TEST_F(commands_test, writes_and_reads_a_file) {
    const test::temp_dir dir;
    const std::string in = dir.path() / "in";
    const std::string back = dir.path() / "out";
    std::string text(3 * 4096 + 100, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    std::FILE* file = std::fopen(in.c_str(), "w");
    ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
    std::fclose(file);
    const outcome wrote = here({"write", "--file", in, "--lba", "5"});
    EXPECT_EQ(wrote.code, 0) << wrote.err;
    const outcome read = here({"read", "--lba", "5", "--count", "4", "--output", back});
    EXPECT_EQ(read.code, 0) << read.err;
    std::string seen(5 * 4096, '\0');
    file = std::fopen(back.c_str(), "r");
    seen.resize(std::fread(seen.data(), 1, seen.size(), file));
    std::fclose(file);
    ASSERT_EQ(seen.size(), 4u * 4096);
    EXPECT_EQ(seen.substr(0, text.size()), text);
    EXPECT_EQ(seen.substr(text.size()), std::string(4 * 4096 - text.size(), '\0'));
}

TEST_F(commands_test, says_when_the_input_does_not_fit) {
    const test::temp_dir dir;
    const std::string in = dir.path() / "in";
    std::FILE* file = std::fopen(in.c_str(), "w");
    std::fputs(std::string(5000, 'x').c_str(), file);
    std::fclose(file);
    EXPECT_EQ(here({"write", "--file", in, "--count", "1"}).code,
              static_cast<int>(exit_code::failed));
}

TEST_F(commands_test, verifies_and_notices_what_is_wrong) {
    EXPECT_EQ(here({"verify", "--pattern", "3", "--size", "1M"}).code, 0);
    EXPECT_EQ(here({"verify", "--pattern", "3", "--size", "1M", "--read-only-check"}).code, 0);
    const outcome wrong = here({"verify", "--pattern", "4", "--size", "1M", "--read-only-check"});
    EXPECT_EQ(wrong.code, static_cast<int>(exit_code::failed));
    EXPECT_NE(wrong.out.find("LBA "), std::string::npos);
    const outcome beyond = here({"verify", "--pattern", "3", "--size", "2M", "--read-only-check"});
    EXPECT_EQ(beyond.code, static_cast<int>(exit_code::failed));
    EXPECT_NE(beyond.out.find("zeroes"), std::string::npos) << beyond.out;
}

TEST_F(commands_test, perf_reports_as_json) {
    const outcome o = here({"perf", "--seconds", "0.1", "--warmup", "0", "-q", "8", "-c", "2",
                            "--mix", "50", "--json", "-", "--quiet"});
    ASSERT_EQ(o.code, 0) << o.err;
    const auto parsed = nlohmann::json::parse(o.out);
    EXPECT_EQ(parsed["connections"], 2);
    EXPECT_EQ(parsed["queue_depth"], 8);
    EXPECT_GT(parsed["read"]["commands"], 0);
    EXPECT_GT(parsed["write"]["commands"], 0);
    EXPECT_EQ(parsed["failed"], 0);
    EXPECT_EQ(parsed["protocol_breaches"], 0);
    EXPECT_LE(parsed["read"]["p50_us"], parsed["read"]["p99_us"]);
}

TEST_F(commands_test, perf_ends_after_so_many_commands) {
    const outcome o = here({"perf", "--commands", "100", "--warmup", "0", "-q", "4", "--verify",
                            "9", "--size", "1M", "--json", "-", "--quiet"});
    ASSERT_EQ(o.code, 0) << o.err;
    const auto parsed = nlohmann::json::parse(o.out);
    EXPECT_EQ(parsed["read"]["commands"], 100);
    EXPECT_EQ(parsed["mismatches"], 0);
}

TEST_F(commands_test, refuses_wrong_usage) {
    const std::vector<std::vector<std::string>> wrong{
        {"perf", "--mix", "101"},
        {"perf", "--block-size", "1000"},
        {"perf", "--block-size", "x"},
        {"perf", "--queue-depth", "0"},
        {"perf", "--lba", "1024"},
        {"read", "--lba", "1024", "--count", "1"},
        {"read", "--count", "1025"},
        {"read", "--size", "100"},
        {"read", "--size", "4k", "--count", "1"},
        {"identify", "--nsid", "0"},
        {"identify", "--host-id", "z"},
        {"perf", "--random", "--sequential"},
        {"verify", "--no-such-option"},
    };
    for (const auto& words : wrong)
        EXPECT_EQ(here(words).code, static_cast<int>(exit_code::usage))
            << words[0] << ' ' << words[1];
    EXPECT_EQ(run({}).code, static_cast<int>(exit_code::usage));
}

TEST(suggestions, the_nearest_word_is_found_and_none_that_is_far) {
    const std::vector<std::string> all{"list", "show", "create", "delete", "pause", "resume"};
    for (const auto& [typed, meant] :
         std::vector<std::pair<std::string, std::string>>{{"lst", "list"},
                                                          {"lsit", "list"},
                                                          {"creat", "create"},
                                                          {"crate", "create"},
                                                          {"res", "resume"},
                                                          {"paused", "pause"},
                                                          {"remove", ""},
                                                          {"x", ""},
                                                          {"", ""}})
        EXPECT_EQ(nearest(typed, all), meant) << typed;
    EXPECT_EQ(nearest("list", {}), "");
}

TEST(commands, name_the_word_that_they_do_not_know_and_the_nearest_one) {
    struct typed {
        std::vector<std::string> words;
        const char* says;
    };
    for (const typed& t : {
             typed{{"subsytem", "list"}, "fulmar has no command subsytem; did you mean subsystem?"},
             typed{{"identfy"}, "fulmar has no command identfy; did you mean identify?"},
             typed{{"xyzzy"}, "fulmar has no command xyzzy\n"},
             typed{{"device", "lst"}, "fulmar device has no command lst; did you mean list?"},
             typed{{"perf", "--que-depth", "4"},
                   "fulmar perf has no option --que-depth; did you mean --queue-depth?"},
             typed{{"perf", "--blocksize=4096"},
                   "fulmar perf has no option --blocksize=4096; did you mean --block-size?"},
             typed{{"status", "now"}, "fulmar status takes no further word: now"},
             typed{{"--vers"}, "fulmar has no option --vers"},
         }) {
        const outcome o = run(t.words);
        EXPECT_EQ(o.code, static_cast<int>(exit_code::usage));
        EXPECT_NE(o.err.find(t.says), std::string::npos) << o.err;
        EXPECT_NE(o.err.find("--help"), std::string::npos) << o.err;
        EXPECT_EQ(o.out, "");
    }
    // Nothing unknown: CLI11 says what is missing.
    EXPECT_NE(run({"device"}).err.find("subcommand"), std::string::npos);
}

TEST_F(commands_test, every_command_helps) {
    for (const char* name :
         {"discover", "connect-check", "identify", "read", "write", "verify", "perf"}) {
        const outcome o = run({name, "--help"});
        EXPECT_EQ(o.code, 0) << name;
        EXPECT_NE(o.out.find(std::string("fulmar ") + name), std::string::npos)
            << "no example for " << name;
    }
}

TEST(commands, say_that_nobody_listens) {
    std::uint16_t port = 0;
    {
        const test::running_peer gone;
        port = gone.options().target.port;
    }
    const outcome o = run({"discover", "--port", std::to_string(port), "--timeout", "1"});
    EXPECT_EQ(o.code, static_cast<int>(exit_code::unavailable));
    EXPECT_NE(o.err.find("127.0.0.1"), std::string::npos) << o.err;
}

}  // namespace
}  // namespace fulmar::cli
