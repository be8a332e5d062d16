#include "nqn_key.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/host.hpp>
#include <fulmar/core/poll_group.hpp>

#include <new>

namespace fulmar::core {

group_host* group_hosts::join(std::string_view nqn, bool io) noexcept {
    auto at = by_name_.find(nqn);
    if (at == by_name_.end()) {
        try {
            auto made = std::make_unique<group_host>(nqn, nqn_key(nqn));
            const std::string_view name = made->nqn;
            at = by_name_.emplace(name, std::move(made)).first;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    group_host& host = *at->second;
    ++host.queues;
    if (io && host.io_queues++ == 0) ++with_io_;
    return &host;
}

void group_hosts::leave(group_host& host, bool io) noexcept {
    if (io && --host.io_queues == 0) --with_io_;
    if (--host.queues != 0) return;
    for (host_buffers* b : {&host.io, &host.admin}) {
        FULMAR_ASSERT(b->used() == 0 && b->waiting.empty());
        if (b->hook.is_linked()) group_.forget(*b);
    }
    by_name_.erase(by_name_.find(std::string_view(host.nqn)));
}

}  // namespace fulmar::core
