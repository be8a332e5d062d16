#include "feature_table.hpp"

#include "admin_pages.hpp"

#include <fulmar/nvme/identify.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::core {
namespace {

TEST(feature_table, has_the_mandatory_features_once_each_and_in_order) {
    std::vector<unsigned> ids;
    for (const feature_row& row : features) ids.push_back(static_cast<unsigned>(row.id));
    EXPECT_EQ(ids, (std::vector<unsigned>{0x01, 0x02, 0x04, 0x05, 0x06, 0x07, 0x0a, 0x0b, 0x0f,
                                          0x16, 0x81, 0x82, 0x83, 0x84}));
}

TEST(feature_table, discovery_controllers_have_events_and_keep_alive) {
    for (unsigned raw = 0; raw < 256; ++raw) {
        const auto fid = static_cast<std::uint8_t>(raw);
        EXPECT_EQ(find_feature(fid, true) != nullptr, raw == 0x0b || raw == 0x0f) << raw;
    }
}

TEST(feature_table, log_page_12h_lists_exactly_the_table) {
    for (const bool discovery : {false, true}) {
        const auto page = make_feature_effects(discovery);
        for (unsigned raw = 0; raw < 256; ++raw) {
            const feature_row* row = find_feature(static_cast<std::uint8_t>(raw), discovery);
            EXPECT_EQ(page.fid[raw].value(), row != nullptr ? effects_of(*row) : 0u) << raw;
        }
    }
}

TEST(feature_table, capabilities_say_what_a_set_would_meet) {
    namespace cap = nvme::feature_capability;
    EXPECT_EQ(capabilities_of(*find_feature(0x05, false)),
              cap::namespace_specific | cap::changeable);
    EXPECT_EQ(capabilities_of(*find_feature(0x81, false)), 0u);
    for (const feature_row& row : features)
        EXPECT_EQ(capabilities_of(row) & cap::saveable, 0u) << row.name;
}

// A host enables what OAES offers and nothing else: each offered bit must be accepted.
TEST(feature_table, configurable_events_cover_what_identify_offers) {
    subsystem_description s;
    const target_options options;
    for (const bool discovery : {false, true}) {
        s.discovery = discovery;
        const auto page = make_identify_controller({s, options, cntlid(1)});
        EXPECT_EQ(page.oaes.value() & ~configurable_events(discovery), 0u);
        EXPECT_EQ(configurable_events(discovery) & ~page.oaes.value() & ~0x3fu, 0u);
    }
}

}  // namespace
}  // namespace fulmar::core
