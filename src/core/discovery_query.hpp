// "What may this host see?": travels from a discovery controller's home to the control reactor and
// back.
#pragma once

#include <fulmar/core/discovery_page.hpp>
#include <fulmar/engine/message.hpp>

#include <cstddef>
#include <string>

namespace fulmar::core {

class controller;

/// Called on: the reactor that holds the message.
struct discovery_query final : engine::message {
    explicit discovery_query(controller& c);

    controller* owner;
    std::size_t asked = 0;  ///< commands that it was sent for
    std::string host_nqn;
    std::string local_address;  ///< that the host connected to
    discovery_view page;        ///< null: no memory

    static void returned(engine::message& m) noexcept;
};

}  // namespace fulmar::core
