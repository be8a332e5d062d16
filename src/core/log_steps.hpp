// The parts of Get Log Page that look into the controller.
#pragma once

#include "admin_pages.hpp"

#include <fulmar/core/controller.hpp>

#include <cstdint>

namespace fulmar::core {

/// Called on: home reactor, all of them.
struct log_steps {
    static void answer(controller& c, request& r, nvme::lid page, std::uint64_t offset) noexcept;
    static bool answer_ana(controller& c, request& r, const nvme::get_log_page& wanted) noexcept;
    [[nodiscard]] static smart_facts smart(const controller& c) noexcept;
};

}  // namespace fulmar::core
