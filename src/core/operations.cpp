#include "operations.hpp"

#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::core {

namespace {

error not_there(const subsystem& s, std::uint32_t nsid) {
    return {errc::not_found, fmt::format("{} has no namespace {}", s.spec().nqn, nsid)};
}

error gone(const subsystem& s) {
    return {errc::not_found, fmt::format("there is no subsystem {}", s.spec().nqn)};
}

error refused(std::string_view failure) {
    return {errc::no_memory,
            fmt::format("a poll group failed: {}", failure),
            {},
            "free memory or descriptors, then try again"};
}

}  // namespace

std::unique_ptr<operation> make_operation(subsystem& s, change what, control_request* request) {
    if (std::holds_alternative<create_subsystem>(what))
        return std::make_unique<create_operation>(s, std::move(what), request);
    if (std::holds_alternative<delete_subsystem>(what))
        return std::make_unique<delete_operation>(s, std::move(what), request);
    if (std::holds_alternative<pause_subsystem>(what))
        return std::make_unique<pause_operation>(s, std::move(what), request);
    if (std::holds_alternative<resume_subsystem>(what))
        return std::make_unique<resume_operation>(s, std::move(what), request);
    if (std::holds_alternative<add_namespace>(what))
        return std::make_unique<add_namespace_operation>(s, std::move(what), request);
    if (std::holds_alternative<remove_namespace>(what))
        return std::make_unique<remove_namespace_operation>(s, std::move(what), request);
    return std::make_unique<update_operation>(s, std::move(what), request);
}

// --- create --------------------------------------------------------------------------------------

bool create_operation::resume() {
    switch (stage_) {
        case stage::begin:
            left_ = std::get<create_subsystem>(what).spec.namespaces;
            std::reverse(left_.begin(), left_.end());
            subject.advance(subsystem_event::start);
            stage_ = stage::added;
            subject.fan_out(group_action::add_subsystem, nullptr, subject.make_view());
            return false;
        case stage::added:
            if (!subject.last_failure().empty()) return undo(refused(subject.last_failure()));
            return attach_next();
        case stage::attaching: {
            namespace_record& n = *subject.find(attaching_);
            if (!subject.last_failure().empty()) return undo(refused(subject.last_failure()));
            subject.advance(n, namespace_event::done);
            return attach_next();
        }
        case stage::opening:
            subject.advance(subsystem_event::done);
            subject.owner().discovery_changed();
            if (request == nullptr) subject.owner().subsystem_started();
            std::get<create_subsystem>(what).spec = subject.status().spec;
            answer(subject.status());
            return true;
        case stage::undo_close:
            stage_ = stage::undo_remove;
            subject.fan_out(group_action::remove_subsystem);
            return false;
        case stage::undo_remove:
            subject.advance(subsystem_event::done);
            while (!subject.namespaces().empty())
                subject.drop_record(subject.namespaces().begin()->first);
            subject.mark_deleted();
            fail_with(why_);
            return true;
    }
    return true;
}

bool create_operation::attach_next() {
    while (!left_.empty()) {
        namespace_spec spec = std::move(left_.back());
        left_.pop_back();
        auto added = subject.add_record(std::move(spec));
        if (!added) {
            if (request != nullptr) return undo(added.error());
            subject.owner().operation_failed(added.error());  // at start: serve what can be served
            continue;
        }
        namespace_record& n = **added;
        attaching_ = n.spec.nsid;
        subject.advance(n, namespace_event::attach);
        stage_ = stage::attaching;
        subject.fan_out(group_action::attach_namespace, &n, subject.make_view());
        return false;
    }
    return open();
}

bool create_operation::open() {
    stage_ = stage::opening;
    subject.fan_out(group_action::open_subsystem, nullptr, subject.make_view());
    return false;
}

bool create_operation::undo(error why) {
    why_ = std::move(why);
    subject.advance(subsystem_event::failed);
    if (request == nullptr) subject.owner().subsystem_started();
    stage_ = stage::undo_close;
    subject.fan_out(group_action::close_subsystem);
    return false;
}

// --- delete --------------------------------------------------------------------------------------

bool delete_operation::resume() {
    switch (stage_) {
        case stage::begin:
            if (subject.deleted()) {
                fail_with(gone(subject));
                return true;
            }
            if (request == nullptr) subject.owner().keep_for_restart(subject);
            subject.advance(subsystem_event::stop);
            subject.owner().discovery_changed();
            stage_ = stage::closing;
            subject.fan_out(group_action::close_subsystem);
            return false;
        case stage::closing:
            stage_ = stage::removing;
            subject.fan_out(group_action::remove_subsystem);
            return false;
        case stage::removing:
            subject.advance(subsystem_event::done);
            while (!subject.namespaces().empty())
                subject.drop_record(subject.namespaces().begin()->first);
            subject.mark_deleted();
            answer(std::monostate{});
            return true;
    }
    return true;
}

// --- pause, resume -------------------------------------------------------------------------------

bool pause_operation::resume() {
    switch (stage_) {
        case stage::begin:
            if (subject.deleted()) {
                fail_with(gone(subject));
                return true;
            }
            if (subject.state() == subsystem_state::paused) {
                answer(subject.status());
                return true;
            }
            subject.advance(subsystem_event::pause);
            stage_ = stage::fencing;
            subject.fan_out(group_action::fence_subsystem);
            return false;
        case stage::fencing:
            if (!subject.last_failure().empty()) {
                subject.advance(subsystem_event::failed);
                stage_ = stage::reverting;
                subject.fan_out(group_action::open_subsystem, nullptr, subject.make_view());
                return false;
            }
            subject.advance(subsystem_event::done);
            subject.edit().paused = true;
            answer(subject.status());
            return true;
        case stage::reverting:
            subject.advance(subsystem_event::done);
            fail_with({errc::timed_out, "a poll group could not fence the subsystem"});
            return true;
    }
    return true;
}

bool resume_operation::resume() {
    switch (stage_) {
        case stage::begin:
            if (subject.deleted()) {
                fail_with(gone(subject));
                return true;
            }
            if (subject.state() == subsystem_state::active) {
                answer(subject.status());
                return true;
            }
            subject.advance(subsystem_event::resume);
            stage_ = stage::opening;
            subject.fan_out(group_action::open_subsystem, nullptr, subject.make_view());
            return false;
        case stage::opening:
            if (!subject.last_failure().empty()) {
                subject.advance(subsystem_event::failed);
                fail_with(refused(subject.last_failure()));
                return true;
            }
            subject.advance(subsystem_event::done);
            subject.edit().paused = false;
            answer(subject.status());
            return true;
    }
    return true;
}

// --- namespaces ----------------------------------------------------------------------------------

bool add_namespace_operation::resume() {
    switch (stage_) {
        case stage::begin: {
            if (subject.deleted()) {
                fail_with(gone(subject));
                return true;
            }
            auto added = subject.add_record(std::get<add_namespace>(what).spec);
            if (!added) {
                fail_with(added.error());
                return true;
            }
            namespace_record& n = **added;
            nsid_ = n.spec.nsid;
            subject.advance(n, namespace_event::attach);
            stage_ = stage::attaching;
            subject.fan_out(group_action::attach_namespace, &n, subject.make_view());
            return false;
        }
        case stage::attaching: {
            namespace_record& n = *subject.find(nsid_);
            if (!subject.last_failure()
                     .empty()) {  // some groups may have it: take it away everywhere
                why_ = refused(subject.last_failure());
                subject.advance(n, namespace_event::failed);
                stage_ = stage::undoing;
                subject.fan_out(group_action::detach_namespace, &n, subject.make_view());
                return false;
            }
            subject.advance(n, namespace_event::done);
            std::get<add_namespace>(what).spec = n.spec;
            answer(subject.status(n));
            return true;
        }
        case stage::undoing:
            subject.advance(*subject.find(nsid_), namespace_event::done);
            subject.drop_record(nsid_);
            fail_with(why_);
            return true;
    }
    return true;
}

bool remove_namespace_operation::resume() {
    const std::uint32_t nsid = std::get<remove_namespace>(what).nsid;
    switch (stage_) {
        case stage::begin: {
            namespace_record* n = subject.deleted() ? nullptr : subject.find(nsid);
            if (n == nullptr) {
                fail_with(subject.deleted() ? gone(subject) : not_there(subject, nsid));
                return true;
            }
            subject.advance(*n, namespace_event::detach);
            stage_ = stage::detaching;
            subject.fan_out(group_action::detach_namespace, n, subject.make_view());
            return false;
        }
        case stage::detaching:
            subject.advance(*subject.find(nsid), namespace_event::done);
            subject.drop_record(nsid);
            answer(std::monostate{});
            return true;
    }
    return true;
}

lose_namespace_operation::lose_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                   std::uint32_t generation)
    : operation(s, remove_namespace{}, nullptr), nsid_(nsid), generation_(generation) {}

bool lose_namespace_operation::resume() {
    namespace_record* n = subject.find(nsid_);
    if (sent_ || n == nullptr || n->id.generation != generation_ ||
        !has_edge(namespace_edges, n->state, namespace_event::lose))
        return true;
    subject.advance(*n, namespace_event::lose);
    sent_ = true;
    subject.fan_out(group_action::lose_namespace, n, subject.make_view());
    return false;
}

refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         control_request* r)
    : operation(s, resize_device{}, r), nsid_(nsid) {}
refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         resize_device c, control_request* r)
    : operation(s, std::move(c), r), nsid_(nsid) {}
refresh_namespace_operation::refresh_namespace_operation(subsystem& s, std::uint32_t nsid,
                                                         reopen_device c, control_request* r)
    : operation(s, std::move(c), r), nsid_(nsid) {}

bool refresh_namespace_operation::resume() {
    namespace_record* n = subject.find(nsid_);
    if (n == nullptr || subject.deleted()) {
        fail_with(not_there(subject, nsid_));
        return true;
    }
    switch (stage_) {
        case stage::begin:
            if (n->state == namespace_state::lost) {
                stage_ = stage::fencing;
                return resume();
            }
            subject.advance(*n, namespace_event::fence);
            stage_ = stage::fencing;
            subject.fan_out(group_action::fence_namespace, n);
            return false;
        case stage::fencing: {
            if (n->state == namespace_state::fencing) subject.advance(*n, namespace_event::done);
            if (const auto* resize = std::get_if<resize_device>(&what);
                resize != nullptr && !resize->name.empty()) {
                const std::uint64_t blocks = resize->size_bytes / n->geometry.block_bytes;
                outcome_ = n->device->resize(blocks);
            } else if (std::holds_alternative<reopen_device>(what)) {
                outcome_ = n->device->reopen();
            }
            if (n->device->state() !=
                backend::device_state::ready) {  // still lost: its gates stay closed
                fail_with(outcome_ ? error{errc::io_error, "the device is still lost"}
                                   : outcome_.error());
                return true;
            }
            n->geometry = n->device->geometry();
            if (n->state == namespace_state::lost) subject.advance(*n, namespace_event::attach);
            stage_ = stage::opening;
            subject.fan_out(group_action::open_namespace, n, subject.make_view(), {nsid_});
            return false;
        }
        case stage::opening:
            if (n->state == namespace_state::attaching) subject.advance(*n, namespace_event::done);
            if (n->state == namespace_state::fenced) subject.advance(*n, namespace_event::open);
            if (!outcome_) {
                fail_with(outcome_.error());
                return true;
            }
            if (request != nullptr) {
                const auto* e = subject.owner().devices().find(n->spec.device);
                answer(subject.owner().devices().status(*e));
            }
            return true;
    }
    return true;
}

// --- what a new description tells ----------------------------------------------------------------

result<void> update_operation::apply() {
    subsystem_spec& spec = subject.edit();
    if (const auto* c = std::get_if<set_ana_state>(&what)) {
        namespace_record* n = subject.find(c->nsid);
        if (n == nullptr) return tl::unexpected(not_there(subject, c->nsid));
        ana_ = n->spec.ana != c->state;
        n->spec.ana = c->state;
        if (ana_) subject.count_ana_change();
    } else if (const auto* add = std::get_if<add_host>(&what)) {
        if (std::find(spec.hosts.begin(), spec.hosts.end(), add->host) != spec.hosts.end())
            return fail(errc::already_exists, fmt::format("{} may connect already", add->host));
        if (spec.hosts.size() >= limits::max_hosts)
            return fail(errc::limit_reached,
                        fmt::format("a subsystem names at most {} hosts", limits::max_hosts));
        spec.hosts.push_back(add->host);
    } else if (const auto* remove = std::get_if<remove_host>(&what)) {
        if (std::erase(spec.hosts, remove->host) == 0)
            return fail(errc::not_found,
                        fmt::format("{} is not in the list of {}", remove->host, spec.nqn));
        if (!spec.allow_any_host) expelled_ = remove->host;
    } else if (const auto* any = std::get_if<set_allow_any_host>(&what)) {
        spec.allow_any_host = any->allow;
    }
    return {};
}

bool update_operation::resume() {
    if (!sent_) {
        if (subject.deleted()) {
            fail_with(gone(subject));
            return true;
        }
        if (auto applied = apply(); !applied) {
            fail_with(applied.error());
            return true;
        }
        sent_ = true;
        const group_action action =
            expelled_.empty() ? group_action::update_view : group_action::expel_host;
        subject.fan_out(action, nullptr, subject.make_view(), {}, ana_, expelled_);
        return false;
    }
    subject.owner().discovery_changed();
    if (const auto* c = std::get_if<set_ana_state>(&what)) {
        const namespace_record* n = subject.find(c->nsid);
        answer(n != nullptr ? control_answer(subject.status(*n))
                            : control_answer(std::monostate{}));
    } else if (std::holds_alternative<set_allow_any_host>(what)) {
        answer(subject.status());
    } else {
        answer(std::monostate{});
    }
    return true;
}

}  // namespace fulmar::core
