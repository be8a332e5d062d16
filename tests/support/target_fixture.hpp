// A whole target in this process: the real core and the real TCP transport on loopback, with
// control and data reactors on threads of their own and ordinary memory; and an operator's hand on
// it.
#pragma once

#include "support/eventually.hpp"

#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/host/endpoint.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace fulmar::backend {
class device;
}

namespace fulmar::security {
class key_source;
}

namespace fulmar::test {
class remembered_namespaces;
}

namespace fulmar::testing {

using test::eventually;

/// core::device_factory, without what its header brings.
using device_factory =
    std::function<result<std::unique_ptr<backend::device>>(const core::device_spec&)>;

struct target_setup {
    std::uint32_t data_reactors = 1;
    std::size_t pool_bytes = 8u << 20;  ///< per data reactor
    core::target_options limits{};
    core::target_spec spec{};
    device_factory devices{};                       ///< null: "ram" and "null"
    const security::key_source* keys = nullptr;     ///< outlives the target
    test::remembered_namespaces* memory = nullptr;  ///< outlives the target
};

/// Devices of type "ram" and "null".
result<std::unique_ptr<backend::device>> make_test_device(const core::device_spec& spec);

/// Called on: the test's thread. A method that waits throws when the target does not answer in
/// time.
class running_target {
  public:
    /// Returns when everything in `setup.spec` serves; throws when something in it does not.
    explicit running_target(target_setup setup);
    ~running_target();
    running_target(const running_target&) = delete;
    running_target& operator=(const running_target&) = delete;

    /// For an administration of it, which must end first.
    [[nodiscard]] core::control_port& port();

    /// Where the listener of that place in the spec (and then in order of addition) is.
    [[nodiscard]] host::endpoint endpoint(std::size_t listener = 0);

    /// What an operator says; waits for the answer.
    result<core::control_answer> ask(core::change what) { return put(std::move(what)); }
    result<core::control_answer> ask(core::query what) { return put(std::move(what)); }
    /// The same, when it must work.
    template <typename Answer = std::monostate, typename What>
    Answer must(What what) {
        auto got = ask(std::move(what));
        if (!got) throw std::runtime_error(got.error().text());
        if constexpr (std::is_same_v<Answer, std::monostate>)
            return {};
        else
            return std::get<Answer>(std::move(*got));
    }

    [[nodiscard]] std::vector<core::connection_status> connections();
    [[nodiscard]] core::listener_status listener(std::size_t index = 0);
    /// A counter of `/metrics`, over all data reactors: "fulmar_parked_requests_total".
    [[nodiscard]] std::uint64_t count(std::string_view metric);

    /// Runs `what` on the control reactor and waits for its end.
    void on_control(const std::function<void()>& what);

    /// Ends every connection and every thread, within the target's own bound.
    void stop();

  private:
    result<core::control_answer> put(std::variant<core::change, core::query> what);
    void start();

    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace fulmar::testing
