// What the daemon remembers of its devices' storage, over restarts and bad files.
#include "storage_records.hpp"

#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/temp_dir.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace fulmar::app {
namespace {

struct storage_records_test : testing::Test {
    std::unique_ptr<storage_records> open() {
        return std::make_unique<storage_records>(*reactor, admin::system_disk(), path);
    }
    bool written(const std::string& what) {
        return reactor.run_until([&] {
            std::ifstream in(path);
            const std::string text((std::istreambuf_iterator<char>(in)), {});
            return text.find(what) != std::string::npos;
        });
    }
    test::temp_dir dir;
    std::string path = dir / "fulmard.json.devices";
    test::hand_reactor reactor;
    const backend::storage_record one{
        .path = "/srv/a", .size_bytes = 4096, .facts = {{"inode", "12"}, {"kind", "file"}}};
};

TEST_F(storage_records_test, what_is_remembered_is_known_after_a_restart) {
    auto records = open();
    EXPECT_FALSE(records->recall("a", "/srv/a"));
    records->remember("a", one);
    auto larger = one;
    larger.size_bytes = 8192;
    records->remember("a", larger);  // while the first is being written
    EXPECT_EQ(records->recall("a", "/srv/a"), larger);
    EXPECT_TRUE(written("8192"));
    records.reset();
    EXPECT_TRUE(engine::helper_job::wait_for_all(std::chrono::seconds(10)));
    records = open();
    EXPECT_EQ(records->recall("a", "/srv/a"), larger);
    EXPECT_FALSE(records->recall("a", "/srv/other")) << "of another path nothing is known";
}

TEST_F(storage_records_test, a_damaged_file_is_set_aside_and_costs_knowledge_alone) {
    std::ofstream(path) << "{\"devices\": [{\"name\": \"a\"";
    auto records = open();
    EXPECT_FALSE(records->recall("a", "/srv/a"));
    EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
    records->remember("a", one);
    EXPECT_TRUE(written("4096"));
}

TEST_F(storage_records_test, a_folder_that_cannot_be_written_costs_nothing_else) {
    path = dir / "no/such/folder/x.devices";
    auto records = open();
    records->remember("a", one);
    EXPECT_EQ(records->recall("a", "/srv/a"), one);
}

}  // namespace
}  // namespace fulmar::app
