// Unit tests of fulmar/admin/key_store.hpp: files that are keys, and those that are not.
#include "support/temp_dir.hpp"

#include <fulmar/admin/key_store.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

namespace fulmar::admin {
namespace {

using security::key_state;
using testing::HasSubstr;
using testing::Not;

const std::string key_one = "DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:";
const std::string key_two = "DHHC-1:01:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:";

struct key_files : ::testing::Test {
    test::temp_dir folder;
    std::string keys = folder / "keys";
    key_store store{keys, folder / "credentials"};

    void put(const std::string& where, const std::string& name, const std::string& text,
             mode_t mode = 0600) {
        ::mkdir(where.c_str(), 0700);
        const std::string path = where + "/" + name;
        std::ofstream(path) << text;
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    }
    std::string text_of(const std::string& name) {
        std::ifstream in(keys + "/" + name);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string why(const std::string& name) {
        for (const key_report& one : store.list())
            if (one.name == name) return one.why;
        return "not there";
    }
    std::size_t count(const std::string& name) {
        const auto found = store.find(name);
        return found ? found->size() : 0;
    }
};

TEST_F(key_files, missing_folders_have_no_keys) {
    store.load();
    EXPECT_TRUE(store.list().empty());
    EXPECT_EQ(store.state_of("a"), key_state::missing);
    EXPECT_FALSE(store.find("a"));
}

TEST_F(key_files, good_file_is_usable_and_broken_ones_say_why) {
    put(keys, "good", "# of host 1\n" + key_one + "\n");
    put(keys, "open", key_one, 0640);
    put(keys, "bent", key_one.substr(0, 30) + "!" + key_one.substr(31));
    put(keys, "empty", "\n");
    put(keys, "late", key_one + " soon\n");
    put(keys, "many", key_one + "\n" + key_one + "\n" + key_one + "\n" + key_one + "\n" + key_one);
    put(keys, ".hidden", key_one);
    ASSERT_EQ(::symlink((keys + "/good").c_str(), (keys + "/link").c_str()), 0);
    ASSERT_EQ(::mkfifo((keys + "/pipe").c_str(), 0600), 0);
    store.load();
    EXPECT_EQ(store.state_of("good"), key_state::usable);
    for (const char* name : {"open", "bent", "empty", "late", "many", "link", "pipe"}) {
        EXPECT_EQ(store.state_of(name), key_state::broken) << name;
        EXPECT_FALSE(why(name).empty()) << name;
        EXPECT_FALSE(store.find(name)) << name;
        EXPECT_THAT(why(name), Not(HasSubstr(key_one.substr(12, 8)))) << "nothing of a key";
    }
    EXPECT_THAT(why("open"), HasSubstr("others"));
    EXPECT_EQ(store.state_of(".hidden"), key_state::missing);
    EXPECT_EQ(store.state_of("../keys/good"), key_state::missing);
}

TEST_F(key_files, reading_anew_takes_what_has_changed) {
    put(keys, "a", key_one);
    store.load();
    put(keys, "a", key_two);
    EXPECT_EQ(store.find("a")->front().transform, security::key_transform::none)
        << "until it is read again";
    store.load();
    EXPECT_EQ(store.find("a")->front().transform, security::key_transform::sha256);
    ASSERT_EQ(::unlink((keys + "/a").c_str()), 0);
    store.load();
    EXPECT_EQ(store.state_of("a"), key_state::missing);
}

TEST_F(key_files, file_that_is_broken_later_leaves_the_good_key) {
    put(keys, "a", key_one);
    put(keys, "b", "nonsense");
    store.load();
    for (const std::string& text : {std::string("nonsense"), std::string(), key_two}) {
        put(keys, "a", text, text == key_two ? 0644 : 0600);
        store.load();
        EXPECT_EQ(store.state_of("a"), key_state::usable);
        EXPECT_EQ(store.find("a")->front().transform, security::key_transform::none);
        EXPECT_FALSE(why("a").empty()) << "it is told";
        EXPECT_EQ(store.state_of("b"), key_state::broken) << "that one never was good";
    }
    put(keys, "a", key_two);
    store.load();
    EXPECT_EQ(store.find("a")->front().transform, security::key_transform::sha256);
    EXPECT_EQ(why("a"), "");
}

TEST_F(key_files, folder_that_cannot_be_read_later_leaves_the_good_keys) {
    put(keys, "a", key_one);
    store.load();
    ASSERT_EQ(::rename(keys.c_str(), (keys + ".away").c_str()), 0);
    std::ofstream(keys) << "no folder";
    store.load();
    EXPECT_EQ(store.state_of("a"), key_state::usable);
    EXPECT_FALSE(why("a").empty());
}

TEST_F(key_files, set_makes_a_file_that_is_its_owners_alone) {
    ASSERT_TRUE(store.set("a", key_one, key_store::usual_grace));
    struct stat about {};
    ASSERT_EQ(::stat((keys + "/a").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777u, 0600u);
    ASSERT_EQ(::stat(keys.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777u, 0700u);
    EXPECT_EQ(text_of("a"), key_one + "\n");
    EXPECT_FALSE(store.set("../a", key_one, key_store::usual_grace));
    EXPECT_FALSE(store.set("b", "nonsense", key_store::usual_grace));
    key_store again{keys, ""};
    again.load();
    EXPECT_EQ(again.state_of("a"), key_state::usable);
}

TEST_F(key_files, former_key_is_accepted_for_its_grace) {
    ASSERT_TRUE(store.set("a", key_one, key_store::usual_grace));
    ASSERT_TRUE(store.set("a", key_two, std::chrono::hours(1)));
    EXPECT_EQ(count("a"), 2u);
    EXPECT_EQ(store.list().front().former, 1u);
    EXPECT_THAT(text_of("a"), testing::StartsWith(key_two + "\n" + key_one + " until="));
    key_store again{keys, ""};
    again.load();
    ASSERT_EQ(again.find("a")->size(), 2u) << "also after a restart";
    EXPECT_EQ(again.find("a")->front().transform, security::key_transform::sha256);
    ASSERT_TRUE(store.set("a", key_one, std::chrono::seconds(0)));
    EXPECT_EQ(count("a"), 1u) << "no grace at all";
    put(keys, "a", key_two + "\n" + key_one + " until=1000\n");
    store.load();
    EXPECT_EQ(count("a"), 1u) << "over since 1970";
}

TEST_F(key_files, keys_of_tls_are_a_kind_of_their_own) {
    const std::string tls = "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";
    const std::string other = "NVMeTLSkey-1:00:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";
    put(keys, "mixed", tls + "\n" + key_one + "\n");
    put(keys, "t", tls + "\n");
    put(keys, "d", key_one + "\n");
    store.load();
    EXPECT_THAT(why("mixed"), HasSubstr("two kinds"));
    EXPECT_EQ(store.tls_state_of("mixed"), key_state::broken);
    EXPECT_EQ(store.tls_state_of("t"), key_state::usable);
    EXPECT_EQ(store.state_of("t"), key_state::broken) << "it authenticates nobody";
    EXPECT_EQ(store.tls_state_of("d"), key_state::broken);
    EXPECT_EQ(store.tls_state_of("none"), key_state::missing);
    EXPECT_FALSE(store.find("t"));
    EXPECT_FALSE(store.find_tls("d"));
    for (const key_report& one : store.list()) EXPECT_EQ(one.tls, one.name == "t") << one.name;
    ASSERT_TRUE(store.set("t", other, std::chrono::hours(1)));
    key_store again{keys, ""};
    again.load();
    ASSERT_EQ(again.find_tls("t")->size(), 2u) << "the former one is accepted, after a restart too";
    EXPECT_EQ(again.find_tls("t")->front().hash, security::tls_key_hash::none);
    EXPECT_EQ(again.find_tls("t")->back().hash, security::tls_key_hash::sha256);
    // A key of the other kind has no former one of its own.
    ASSERT_TRUE(store.set("t", key_one, std::chrono::hours(1)));
    EXPECT_EQ(count("t"), 1u);
    EXPECT_EQ(store.tls_state_of("t"), key_state::broken);
}

TEST_F(key_files, removed_key_is_missing) {
    ASSERT_TRUE(store.set("a", key_one, key_store::usual_grace));
    ASSERT_TRUE(store.remove("a"));
    EXPECT_EQ(store.state_of("a"), key_state::missing);
    EXPECT_EQ(::access((keys + "/a").c_str(), F_OK), -1);
    EXPECT_FALSE(store.remove("a"));
}

TEST_F(key_files, credentials_come_first_and_are_not_ours_to_change) {
    const std::string credentials = folder / "credentials";
    put(credentials, "a", key_one, 0440);
    put(credentials, "tls.pem", "something else", 0440);
    put(keys, "a", "nonsense");
    store.load();
    EXPECT_EQ(store.state_of("a"), key_state::usable);
    EXPECT_EQ(store.state_of("tls.pem"), key_state::missing);
    EXPECT_TRUE(store.list().front().credential);
    EXPECT_FALSE(store.set("a", key_two, key_store::usual_grace));
    EXPECT_FALSE(store.remove("a"));
}

}  // namespace
}  // namespace fulmar::admin
