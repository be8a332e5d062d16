// The discovery log (NVMe Base 2.0, section 5.16.1.23): built on the control reactor, which knows
// every subsystem and listener, for the host that asks and the address that it came in by.
#include "discovery_query.hpp"
#include "spec/wildcard_address.hpp"

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

bool is_ipv6(std::string_view address) noexcept {
    return address.find(':') != std::string_view::npos;
}

// Of a wildcard, only the address that the asker came in by is known, and only in its own family.
bool known_address(std::string_view address, std::string_view local_address) noexcept {
    return !is_wildcard(address) || local_address.empty() ||
           is_ipv6(address) == is_ipv6(local_address);
}

// Address and transport of one entry; the asker's own local address stands in for a wildcard.
void tell_security(nvme::discovery_log_entry& e, bool tls, bool required) noexcept {
    if (!tls || e.trtype != static_cast<std::uint8_t>(nvme::trtype::tcp)) return;
    nvme::tcp_tsas how{};
    how.sectype = static_cast<std::uint8_t>(nvme::tcp_sectype::tls_1_3);
    e.set_tsas(how);
    e.treq =
        (required ? nvme::treq::secure_channel_required : nvme::treq::secure_channel_not_required) |
        nvme::treq::sq_flow_control_can_be_off;
}

// What a listener that allows TLS wants of one host: hosts use it where the entry names it, and
// those without a key could not connect.
void tell_security(nvme::discovery_log_entry& e, const listener_spec& at,
                   const subsystem_spec& spec, std::string_view host) noexcept {
    if (at.tls != "allow") return;
    for (const host_keys_spec& one : spec.host_keys)
        if (one.nqn == host && !one.tls_psk.empty()) tell_security(e, true, !one.tls_optional);
}

nvme::discovery_log_entry make_entry(std::string_view transport, std::string_view address,
                                     std::uint16_t port, std::uint16_t port_id,
                                     std::string_view local_address) {
    nvme::discovery_log_entry e{};
    const nvme::trtype type = nvme::trtype_of_word(transport).value_or(nvme::trtype::tcp);
    e.trtype = static_cast<std::uint8_t>(type);
    if (is_wildcard(address) && !local_address.empty()) address = local_address;
    address = address.substr(0, address.find('%'));  // our interface's name says nothing elsewhere
    e.adrfam =
        static_cast<std::uint8_t>(is_ipv6(address) ? nvme::adrfam::ipv6 : nvme::adrfam::ipv4);
    e.treq = nvme::treq::secure_channel_not_required | nvme::treq::sq_flow_control_can_be_off;
    e.portid = port_id;
    e.cntlid = nvme::cntlid_dynamic;
    e.asqsz = nvme::admin_queue_entries_min;
    nvme::copy_space_padded(e.trsvcid, std::to_string(port));
    nvme::copy_space_padded(e.traddr, address);
    if (type == nvme::trtype::rdma) {
        nvme::rdma_tsas how{};
        how.qptype = nvme::rdma_qptype::reliable_connected;
        how.prtype = nvme::rdma_prtype::none;
        how.cms = nvme::rdma_cms::rdma_cm;
        e.set_tsas(how);
    }
    return e;
}

}  // namespace

std::vector<std::byte> target::make_discovery_page(std::string_view host_nqn,
                                                   std::string_view local_address) const {
    const std::string_view own_nqn = setup_.limits.discovery_nqn.empty()
                                         ? nvme::discovery_nqn
                                         : std::string_view(setup_.limits.discovery_nqn);
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
        if (!known_address(l.spec.address, local_address)) continue;
        if (!l.accepts->in_discovery()) continue;
        auto entry =
            make_entry(l.spec.transport, l.spec.address, l.spec.port, l.port_id, local_address);
        tell_security(entry, l.spec.tls == "require", true);
        add(entry, nvme::subsystem_type::current_discovery, own_nqn, persistent);
        for (const auto& s : slots_) {
            if (s == nullptr || s->is_discovery() || s->state() == subsystem_state::deactivating ||
                s->state() == subsystem_state::inactive ||
                s->state() == subsystem_state::activating)
                continue;
            const subsystem_spec& spec = s->spec();
            const bool allowed =
                spec.allow_any_host ||
                std::find(spec.hosts.begin(), spec.hosts.end(), host_nqn) != spec.hosts.end();
            const bool offered =
                spec.listeners.empty() || std::find(spec.listeners.begin(), spec.listeners.end(),
                                                    l.spec.name()) != spec.listeners.end();
            if (!allowed || !offered) continue;
            auto own = entry;
            tell_security(own, l.spec, spec, host_nqn);
            add(own, nvme::subsystem_type::nvm, spec.nqn, 0);
        }
    }
    for (const referral_spec& r : referrals_)
        add(make_entry(r.transport, r.address, r.port, 0, {}), nvme::subsystem_type::referral,
            nvme::discovery_nqn, 0);

    nvme::discovery_log_header header{};
    header.genctr = discovery_generation();
    header.numrec = count;
    header.recfmt = std::uint16_t{0};
    std::vector<std::byte> page;
    page.reserve(sizeof header + entries.size());
    append(page, header);
    page.insert(page.end(), entries.begin(), entries.end());
    return page;
}

void target::forget_old_pages() {
    if (kept_generation_ == discovery_generation()) return;
    kept_pages_.clear();
    named_hosts_.clear();
    for (const auto& s : slots_) {
        if (s == nullptr) continue;
        named_hosts_.insert(s->spec().hosts.begin(), s->spec().hosts.end());
        for (const host_keys_spec& one : s->spec().host_keys) named_hosts_.insert(one.nqn);
    }
    kept_generation_ = discovery_generation();
}

// Hosts that nobody names see the same: however many of them ask, that is one page.
discovery_view target::find_discovery_page(const discovery_query& q) {
    forget_old_pages();
    const std::string_view host =
        named_hosts_.contains(q.host_nqn) ? std::string_view(q.host_nqn) : std::string_view{};
    for (const kept_page& k : kept_pages_)
        if (k.host_nqn == host && k.local_address == q.local_address) return k.page;
    auto made = std::make_shared<discovery_page>();
    made->generation = kept_generation_;
    made->bytes = make_discovery_page(host, q.local_address);
    ++pages_made_;
    if (kept_pages_.size() >= limits::kept_discovery_pages) kept_pages_.erase(kept_pages_.begin());
    kept_pages_.push_back(
        {.host_nqn = std::string(host), .local_address = q.local_address, .page = made});
    return made;
}

void target::discovery_changed() noexcept {
    discovery_generation_.fetch_add(1, std::memory_order_release);
    for (const auto& group : groups_) group->post_discovery_changed();
}

discovery_query::discovery_query(controller& c)
    : message([](engine::message& m) noexcept {
          auto& self = static_cast<discovery_query&>(m);
          try {
              self.page = self.owner->home().target().find_discovery_page(self);
          } catch (const std::bad_alloc&) {
              self.page = nullptr;
          }
          self.set_handler(&discovery_query::returned);
          self.owner->home().reactor().post(self);
      }),
      owner(&c) {}

void discovery_query::returned(engine::message& m) noexcept {
    const std::unique_ptr<discovery_query> self(static_cast<discovery_query*>(&m));
    self->owner->discovery_page_arrived(*self);
}

// Who asked before the question left has an answer that is new enough. Who asked since, and may
// have heard of a change since, waits for one more question, but for that one only.
void controller::discovery_page_arrived(const discovery_query& answer) noexcept {
    --away_;
    asking_ = false;
    discovery_page_ = answer.page;
    const bool current = discovery_page_is_current();
    answer_discovery_askers(current || answer.page == nullptr ? discovery_askers_.size()
                                                              : answer.asked);
    if (!discovery_askers_.empty()) ask_for_discovery_page();
    check_queues_gone();
}

bool controller::discovery_page_is_current() const noexcept {
    return discovery_page_ != nullptr &&
           discovery_page_->generation == home_.target().discovery_generation();
}

// One question at a time is on its way, however many commands wait for it: what a host can make the
// control reactor do is bounded.
void controller::discovery_log(request& r) noexcept {
    if (discovery_page_is_current()) return answer_discovery(r);
    try {
        discovery_askers_.push_back(&r);  // as many as the admin queue has entries, at most
    } catch (const std::bad_alloc&) {
        return finish(r, sc::internal_error);
    }
    if (!asking_) ask_for_discovery_page();
}

void controller::ask_for_discovery_page() noexcept {
    try {
        auto question = std::make_unique<discovery_query>(*this);
        question->host_nqn = who_.host_nqn;
        question->asked = discovery_askers_.size();
        connection_status where;
        discovery_askers_.front()->owner->describe(where);
        question->local_address = where.local.substr(0, where.local.rfind(':'));
        if (question->local_address.starts_with('['))
            question->local_address =
                question->local_address.substr(1, question->local_address.size() - 2);
        asking_ = true;
        ++away_;
        home_.target().control_reactor().post(*question.release());
    } catch (const std::bad_alloc&) {
        discovery_page_ = nullptr;
        answer_discovery_askers(discovery_askers_.size());
    }
}

void controller::answer_discovery_askers(std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) answer_discovery(*discovery_askers_[i]);
    discovery_askers_.erase(discovery_askers_.begin(),
                            discovery_askers_.begin() + static_cast<std::ptrdiff_t>(count));
}

void controller::answer_discovery(request& r) noexcept {
    if (discovery_page_ == nullptr) return finish(r, sc::internal_error);  // no memory
    const nvme::get_log_page command = nvme::decode_get_log_page(r.sqe);
    if (command.offset_bytes > discovery_page_->bytes.size())
        return finish(r, sc::invalid_field.no_retry());
    if (!command.rae) log_read(nvme::lid::discovery);
    answer_with(r, discovery_page_->bytes, command.offset_bytes);
}

}  // namespace fulmar::core
