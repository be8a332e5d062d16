// "What may this host see?": travels from a discovery controller's home to the control reactor and
// back.
#pragma once

#include <fulmar/engine/message.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fulmar::core {

class controller;
class request;

struct discovery_query final : engine::message {
    discovery_query(controller& c, request& r);

    controller* owner;
    request* asker;
    std::string host_nqn;
    std::string discovery_nqn;
    std::string local_address;    ///< that the host connected to
    std::vector<std::byte> page;  ///< empty: no memory

    static void returned(engine::message& m) noexcept;
};

}  // namespace fulmar::core
