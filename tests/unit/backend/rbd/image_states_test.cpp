// The table of an open image, as documentation: docs/rbd_states.md is its rendering.
#include "support/render_states.hpp"

#include <backend/rbd/image_states.hpp>
#include <gtest/gtest.h>

namespace fulmar::backend::rbd {
namespace {

TEST(rbd_states, are_documented) {
    std::string text =
        "# States of an open image of Ceph\n\n"
        "Generated from the table that the code runs on, by "
        "`tests/unit/backend/rbd/image_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_backend "
        "--gtest_filter='rbd_states.*'` writes it anew).\n"
        "What each state means for hosts and operators is in `docs/rbd.md`.\n\n";
    text += test::render_states("Image of a device", "src/backend/rbd/image_states.hpp",
                                "Owned by the control reactor; any reactor may be the first to "
                                "notice a loss. At rest: ready.",
                                image_edges, image_state::away);
    test::expect_document("docs/rbd_states.md", std::move(text));
}

}  // namespace
}  // namespace fulmar::backend::rbd
