// What changes are called.
#include "admin/change_json.hpp"

#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

TEST(change_title, names_the_object_and_what_is_done_to_it) {
    EXPECT_EQ(title(core::create_device{{.name = "d"}}), "create device d");
    EXPECT_EQ(title(core::delete_device{"d"}), "delete device d");
    EXPECT_EQ(title(core::detach_device{"d", true}), "detach device d");
    EXPECT_EQ(title(core::create_subsystem{{.nqn = "q"}}), "create subsystem q");
    EXPECT_EQ(title(core::pause_subsystem{"q"}), "pause subsystem q");
    EXPECT_EQ(title(core::add_namespace{"q", {.nsid = 3, .device = "d"}}),
              "add namespace 3 of q on device d");
    EXPECT_EQ(title(core::add_namespace{"q", {.device = "d"}}),
              "add namespace (the next NSID) of q on device d");
    EXPECT_EQ(title(core::remove_namespace{"q", 3}), "remove namespace 3 of q");
    EXPECT_EQ(title(core::set_ana_state{"q", 3, core::ana_state::inaccessible}),
              "set ana state inaccessible of namespace 3 of q");
    EXPECT_EQ(title(core::add_host{"q", "h"}), "add host h of q");
    EXPECT_EQ(title(core::remove_host{"q", "h"}), "remove host h of q");
    EXPECT_EQ(title(core::set_allow_any_host{"q", true}), "set allow any host true of q");
    EXPECT_EQ(title(core::remove_listener{"l"}), "remove listener l");
    EXPECT_EQ(title(core::add_referral{{"tcp", "::1", 8009}}), "add referral tcp ::1 port 8009");
}

}  // namespace
}  // namespace fulmar::admin
