// The discovery log (NVMe Base 2.0, section 5.16.1.23): built on the control reactor, which knows
// every subsystem and listener, for the host that asks and the address that it came in by.
#include "discovery_query.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/discovery.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

void append(std::vector<std::byte>& page, const auto& wire) {
    const auto bytes = nvme::wire_bytes(wire);
    page.insert(page.end(), bytes.begin(), bytes.end());
}

bool is_wildcard(std::string_view address) noexcept {
    return address == "0.0.0.0" || address == "::";
}
bool is_ipv6(std::string_view address) noexcept {
    return address.find(':') != std::string_view::npos;
}

// Address and transport of one entry; the asker's own local address stands in for a wildcard.
nvme::discovery_log_entry make_entry(std::string_view transport, std::string_view address,
                                     std::uint16_t port, std::string_view local_address) {
    nvme::discovery_log_entry e{};
    e.trtype =
        static_cast<std::uint8_t>(transport == "rdma" ? nvme::trtype::rdma : nvme::trtype::tcp);
    if (is_wildcard(address) && !local_address.empty()) address = local_address;
    e.adrfam =
        static_cast<std::uint8_t>(is_ipv6(address) ? nvme::adrfam::ipv6 : nvme::adrfam::ipv4);
    e.treq = nvme::treq::secure_channel_not_required | nvme::treq::sq_flow_control_can_be_off;
    e.portid = port;
    e.cntlid = nvme::cntlid_dynamic;
    e.asqsz = nvme::admin_queue_entries_min;
    nvme::copy_space_padded(e.trsvcid, std::to_string(port));
    nvme::copy_space_padded(e.traddr, address);
    return e;
}

}  // namespace

std::vector<std::byte> target::discovery_page(const discovery_query& q) const {
    std::vector<std::byte> entries;
    std::uint64_t count = 0;
    const auto add = [&](nvme::discovery_log_entry e, nvme::subsystem_type type,
                         std::string_view nqn, std::uint16_t flags) {
        e.subtype = static_cast<std::uint8_t>(type);
        e.eflags = flags;
        nvme::copy_nul_padded(e.subnqn, nqn);
        append(entries, e);
        ++count;
    };
    constexpr std::uint16_t persistent =
        nvme::eflags::explicit_persistent_connection | nvme::eflags::duplicate_returned_information;
    for (const listening& l : listeners_) {
        const auto entry =
            make_entry(l.spec.transport, l.spec.address, l.spec.port, q.local_address);
        add(entry, nvme::subsystem_type::current_discovery, q.discovery_nqn, persistent);
        for (const auto& s : slots_) {
            if (s == nullptr || s->is_discovery() || s->state() == subsystem_state::deactivating ||
                s->state() == subsystem_state::inactive ||
                s->state() == subsystem_state::activating)
                continue;
            const subsystem_spec& spec = s->spec();
            const bool allowed =
                spec.allow_any_host ||
                std::find(spec.hosts.begin(), spec.hosts.end(), q.host_nqn) != spec.hosts.end();
            const bool offered =
                spec.listeners.empty() || std::find(spec.listeners.begin(), spec.listeners.end(),
                                                    l.spec.name()) != spec.listeners.end();
            if (allowed && offered) add(entry, nvme::subsystem_type::nvm, spec.nqn, 0);
        }
    }
    for (const referral_spec& r : referrals_)
        add(make_entry(r.transport, r.address, r.port, {}), nvme::subsystem_type::referral,
            nvme::discovery_nqn, 0);

    nvme::discovery_log_header header{};
    header.genctr = discovery_generation_;
    header.numrec = count;
    header.recfmt = std::uint16_t{0};
    std::vector<std::byte> page;
    page.reserve(sizeof header + entries.size());
    append(page, header);
    page.insert(page.end(), entries.begin(), entries.end());
    return page;
}

void target::discovery_changed() noexcept {
    ++discovery_generation_;
    for (const auto& notice : notices_)
        notice->group->reactor().post(*notice);  // one that is still on its way will do
}

target::discovery_notice::discovery_notice(poll_group& g) noexcept
    : message([](engine::message& m) noexcept {
          static_cast<discovery_notice&>(m).group->discovery_changed();
      }),
      group(&g) {}

discovery_query::discovery_query(controller& c, request& r)
    : message([](engine::message& m) noexcept {
          auto& self = static_cast<discovery_query&>(m);
          target& where = self.owner->home().target();
          try {
              self.page = where.discovery_page(self);
          } catch (const std::bad_alloc&) {
              self.page.clear();
          }
          self.set_handler(&discovery_query::returned);
          self.owner->home().reactor().post(self);
      }),
      owner(&c),
      asker(&r) {}

void discovery_query::returned(engine::message& m) noexcept {
    std::unique_ptr<discovery_query> self(static_cast<discovery_query*>(&m));
    controller& c = *self->owner;
    request& r = *self->asker;
    const nvme::get_log_page command = nvme::decode_get_log_page(r.sqe);
    --c.away_;
    if (self->page.empty()) {
        c.finish(r, sc::internal_error);
    } else if (command.offset_bytes > self->page.size()) {
        c.finish(r, sc::invalid_field.no_retry());
    } else {
        if (!command.rae) c.log_read(nvme::lid::discovery);
        c.answer_with(r, self->page, command.offset_bytes);
    }
    c.check_queues_gone();
}

void controller::discovery_log(request& r) noexcept {
    try {
        auto question = std::make_unique<discovery_query>(*this, r);
        question->host_nqn = who_.host_nqn;
        question->discovery_nqn = description().nqn;
        connection_status where;
        r.owner->describe(where);
        question->local_address = where.local.substr(0, where.local.rfind(':'));
        if (question->local_address.starts_with('['))
            question->local_address =
                question->local_address.substr(1, question->local_address.size() - 2);
        ++away_;
        home_.target().control_reactor().post(*question.release());
    } catch (const std::bad_alloc&) {
        finish(r, sc::internal_error);
    }
}

}  // namespace fulmar::core
