// Get and Set Features, feature by feature.
#pragma once

#include "feature_table.hpp"

#include <fulmar/core/controller.hpp>

#include <cstdint>

namespace fulmar::core {

/// Called on: home reactor, all of them.
struct feature_steps {
    /// The namespace that `row` is asked about, as far as that can be wrong.
    [[nodiscard]] static nvme::status check_set(const controller& c, const feature_row& row,
                                                const nvme::set_features& what,
                                                std::uint32_t number) noexcept;
    [[nodiscard]] static nvme::status check_namespace(const controller& c,
                                                      std::uint32_t number) noexcept;

    [[nodiscard]] static nvme::status set(controller& c, request& r, const feature_row& row,
                                          std::uint32_t value) noexcept;
    [[nodiscard]] static nvme::status set_temperature(controller& c, std::uint32_t value) noexcept;
    [[nodiscard]] static nvme::status set_error_recovery(controller& c, std::uint32_t number,
                                                         std::uint32_t value) noexcept;
    [[nodiscard]] static nvme::status set_queues(controller& c, request& r,
                                                 std::uint32_t value) noexcept;
    [[nodiscard]] static nvme::status set_keep_alive(controller& c, std::uint32_t ms) noexcept;
    [[nodiscard]] static nvme::status set_host_behavior(controller& c, request& r) noexcept;

    /// Leaves the value in dw0.
    [[nodiscard]] static nvme::status get(const controller& c, request& r, const feature_row& row,
                                          std::uint32_t argument, bool current) noexcept;
    [[nodiscard]] static nvme::status get_temperature(const controller& c, std::uint32_t& value,
                                                      bool current) noexcept;
    /// Answers with what does not fit a dword.
    static void get_data(controller& c, request& r, const feature_row& row, bool current) noexcept;
};

}  // namespace fulmar::core
