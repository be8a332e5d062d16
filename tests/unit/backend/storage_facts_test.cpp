// Unit tests of backend/file/storage_facts.hpp: what tells one storage from another.
#include "file/storage_facts.hpp"

#include <gtest/gtest.h>

namespace fulmar::backend {
namespace {

const storage_facts of_a_disk{{"kind", "block device"},   {"wwid", "naa.5000c500a1b2c3d4"},
                              {"serial", "S4EW"},         {"dm_uuid", "LVM-abc"},
                              {"md_uuid", "1f2e"},        {"partition", "1"},
                              {"partition_uuid", "8a3b"}, {"loop_inode", "12"}};
const storage_facts of_a_file{
    {"kind", "file"}, {"fs_uuid", "aa"}, {"fsid", "bb"}, {"inode", "12"}, {"born", "1.5"}};

TEST(storage_facts, each_known_one_that_changes_is_a_change_and_is_named) {
    for (const storage_facts& before : {of_a_disk, of_a_file})
        for (const auto& [name, was] : before) {
            storage_facts now = before;
            now[name] = "other";
            EXPECT_EQ(changed_facts(before, now), name + " is other and was " + was);
        }
    EXPECT_EQ(changed_facts(of_a_disk, of_a_disk), "");
    EXPECT_NE(changed_facts(of_a_disk, of_a_file), "") << "a file where a disk was";
}

// A kernel that tells less, or more, than the one before has changed no storage.
TEST(blocks_may_tear, where_the_disk_writes_less_at_once) {
    EXPECT_TRUE(blocks_may_tear(4096, 512));
    EXPECT_FALSE(blocks_may_tear(4096, 4096));
    EXPECT_FALSE(blocks_may_tear(512, 512));
    EXPECT_FALSE(blocks_may_tear(512, 4096));
    EXPECT_FALSE(blocks_may_tear(4096, 0)) << "nobody knows";
}

TEST(storage_facts, one_that_is_unknown_is_no_change) {
    for (const storage_facts& before : {of_a_disk, of_a_file})
        for (const auto& [name, was] : before) {
            storage_facts fewer = before;
            fewer.erase(name);
            EXPECT_EQ(changed_facts(before, fewer), "") << name;
            EXPECT_EQ(changed_facts(fewer, before), "") << name;
            EXPECT_TRUE(can_compare(before, fewer)) << name;
        }
    const storage_facts kind_alone{{"kind", "file"}};
    EXPECT_FALSE(can_compare(of_a_file, kind_alone)) << "nothing tells them apart";
    EXPECT_FALSE(can_compare({}, of_a_file));
}

}  // namespace
}  // namespace fulmar::backend
