// Random commands of several hosts against the plain reference of reservation_reference.hpp,
// compared after each step: status, state, notifications, ended hosts, access, report, record and
// log pages. The deliberate bugs of the rules must each be noticed by the same comparison.
#include "policy/reservation.hpp"
#include "reservation/reservation_access.hpp"
#include "reservation/reservation_report.hpp"
#include "reservation/reservation_rules.hpp"
#include "reservation_reference.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/reservation_notices.hpp>
#include <fulmar/core/reservation_record.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <sstream>

namespace fulmar::core::test {
namespace {

constexpr std::uint32_t random_seeds = 200;
/// Few stories are so long that hosts which never read lose notifications.
int steps_of(std::uint32_t seed) { return seed % 50 == 0 ? 10'000 : 150; }
constexpr std::size_t random_hosts = 5;
constexpr std::uint32_t random_nsid = 7;

/// The same hosts in both worlds. Their order is not that of their numbers.
nvme::host_id random_host(std::size_t number) {
    nvme::host_id id;
    id.bytes[0] = static_cast<std::uint8_t>(0x90 - number * 0x11);
    id.bytes[15] = static_cast<std::uint8_t>(number);
    return id;
}

std::string name_of(const nvme::host_id& id) { return std::string(nvme::to_text(id).view()); }

class random_world {
  public:
    explicit random_world(std::uint32_t seed) : draw_(seed) {
        for (std::size_t i = 0; i < random_hosts; ++i) {
            hosts_.push_back(random_host(i));
            never_reads_.push_back(chance(30));
            pages_[i].room = limits::max_reservation_notices;
        }
    }

    /// What differs, or nothing.
    std::string play(int steps) {
        for (step_ = 0; step_ < steps && wrong_.empty(); ++step_) {
            if (chance(6))
                change_persistence();
            else if (chance(6))
                change_masks();
            else
                run_command();
            compare_state();
            compare_access();
            compare_report();
            compare_record();
            read_pages();
        }
        for (std::size_t i = 0; i < random_hosts; ++i)
            while (wrong_.empty() && compare_page(i)) {}
        return wrong_;
    }

    [[nodiscard]] const std::set<std::string>& met() const { return reference_.met; }
    [[nodiscard]] bool lost_any() const {
        for (const notices_reference& p : pages_)
            if (p.lost_any) return true;
        return false;
    }

  private:
    unsigned below(unsigned most) { return static_cast<unsigned>(draw_() % most); }
    bool chance(unsigned percent) { return below(100) < percent; }

    template <typename A, typename B>
    void same(const char* what, const A& product, const B& reference) {
        if (product == reference || !wrong_.empty()) return;
        std::ostringstream out;
        out << "step " << step_ << ", " << last_ << ": " << what << " is " << product << ", not "
            << reference;
        wrong_ = out.str();
    }

    reference_command draw_command(const std::string& host) {
        reference_command c;
        constexpr std::array opcodes{0x0d, 0x0d, 0x11, 0x11, 0x15};
        c.opcode = opcodes[below(opcodes.size())];
        c.action = static_cast<int>(below(3));
        if (chance(4)) c.action = static_cast<int>(below(8));
        // Clear ends every story; unregistering and releasing are to be rarer than their opposites.
        if (c.opcode == 0x15 && c.action == 1 && chance(70)) c.action = 0;
        if (c.opcode == 0x0d && c.action == 1 && chance(50)) c.action = 0;
        c.iekey = chance(c.opcode == 0x0d ? 25 : 4);
        c.rtype = static_cast<int>(1 + below(6));
        if (c.opcode == 0x15 && chance(70) && reference_.rtype != 0) c.rtype = reference_.rtype;
        if (chance(3)) c.rtype = chance(50) ? 0 : 7;
        constexpr std::array persistence{0, 0, 0, 0, 2, 3};
        c.cptpl = chance(3) ? 1 : persistence[below(persistence.size())];
        const auto own = reference_.key_of.find(host);
        c.crkey = own != reference_.key_of.end() && chance(85) ? own->second : below(4);
        c.second_key = below(4);
        if (c.opcode == 0x0d && c.action == 0 && own != reference_.key_of.end() && chance(50))
            c.second_key = own->second;
        if (c.opcode == 0x0d && c.second_key == 0 && chance(80)) c.second_key = 1;
        return c;
    }

    /// Through its bytes.
    static reservation_request on_the_wire(const reference_command& c) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(c.opcode);
        sqe.cdw10 = static_cast<std::uint32_t>(c.action) | (c.iekey ? 8u : 0u) |
                    static_cast<std::uint32_t>(c.opcode == 0x0d ? 0 : c.rtype) << 8 |
                    static_cast<std::uint32_t>(c.opcode == 0x0d ? c.cptpl : 0) << 30;
        std::array<std::byte, 16> data{};
        for (unsigned i = 0; i < 8; ++i) {
            data[i] = static_cast<std::byte>(c.crkey >> (8 * i));
            data[8 + i] = static_cast<std::byte>(c.second_key >> (8 * i));
        }
        const std::size_t length = reservation_data_bytes(sqe.opcode);
        EXPECT_EQ(length, c.opcode == 0x15 ? 8u : 16u);
        const auto read = read_reservation_request(sqe, std::span(data).first(length));
        EXPECT_TRUE(read);
        return read.value_or(reservation_request{});
    }

    void run_command() {
        const std::size_t number = below(random_hosts);
        const std::string host = name_of(hosts_[number]);
        const reference_command c = draw_command(host);
        last_ = describe(number, c);
        const int status = reference_.command(host, c);
        reservation_outcome outcome = decide(state_, hosts_[number], on_the_wire(c));
        same("status", int{outcome.status.sc}, status);
        same("do not retry", outcome.status.dnr, status != 0);
        same("a change", outcome.next.has_value(), reference_.changed);
        compare_effects(outcome);
        adopt(state_, outcome);
        for (std::size_t i = 0; i < random_hosts; ++i)
            if (const auto told = reference_.told.find(name_of(hosts_[i]));
                told != reference_.told.end())
                pages_[i].add(random_nsid, told->second);
        for (const reservation_effect& e : outcome.effects)
            for (std::size_t i = 0; i < random_hosts; ++i)
                if (hosts_[i] == e.host && e.notice != nvme::reservation_notice::empty)
                    (void)notices_[i].add(random_nsid, e.notice);
    }

    static std::string describe(std::size_t number, const reference_command& c) {
        std::ostringstream out;
        out << "host " << number << " opcode " << c.opcode << " action " << c.action << " iekey "
            << c.iekey << " rtype " << c.rtype << " cptpl " << c.cptpl << " crkey " << c.crkey
            << " second key " << c.second_key;
        return out.str();
    }

    void compare_effects(const reservation_outcome& outcome) {
        std::ostringstream product, reference;
        for (const reservation_effect& e : outcome.effects)
            product << name_of(e.host) << ' ' << static_cast<int>(e.notice) << ' '
                    << e.ends_commands << ", ";
        std::set<std::string> concerned = reference_.ended;
        for (const auto& [host, type] : reference_.told) concerned.insert(host);
        for (const std::string& host : concerned) {
            const auto told = reference_.told.find(host);
            reference << host << ' ' << (told == reference_.told.end() ? 0 : told->second) << ' '
                      << reference_.ended.count(host) << ", ";
        }
        same("effects", product.str(), reference.str());
    }

    void change_persistence() {
        last_ = "feature 83h";
        const bool before = reference_.ptpl;
        const bool on = chance(50);
        reference_.set_persistence(on);
        reservation_outcome outcome = decide_persistence(state_, on);
        same("a change", outcome.next.has_value(), before != on);
        same("changes", outcome.next.has_value(), before != on);
        adopt(state_, outcome);
    }

    void change_masks() {
        last_ = "feature 82h";
        const std::size_t number = below(random_hosts);
        if (never_reads_[number]) return;  // it is to lose some
        const std::uint32_t mask = chance(80) ? 0 : below(16);
        pages_[number].masks[random_nsid] = mask & 0xeu;
        const std::array<std::uint32_t, 1> nsids{random_nsid};
        EXPECT_TRUE(notices_[number].set_mask(nsids, mask));
        same("mask", notices_[number].mask_of(random_nsid), mask & 0xeu);
    }

    void compare_state() {
        std::ostringstream product, reference;
        for (const registrant& r : state_.registrants)
            product << name_of(r.host) << '=' << r.key << ' ';
        for (const auto& [host, key] : reference_.key_of) reference << host << '=' << key << ' ';
        same("registrants", product.str(), reference.str());
        same("type", static_cast<int>(state_.type), reference_.rtype);
        same("holder", state_.holder.is_nil() ? "" : name_of(state_.holder), reference_.holder);
        same("PTPL", state_.persistent, reference_.ptpl);
        same("GEN", state_.generation, reference_.gen);
        same("a possible state", is_possible(state_), true);
    }

    void compare_access() {
        for (std::size_t i = 0; i < random_hosts && wrong_.empty(); ++i) {
            const std::string host = name_of(hosts_[i]);
            const access_bits denied_now = denied_to(state_, hosts_[i]);
            same("is_held()", state_.is_held(), reference_.rtype != 0);
            for (int opcode = 0; opcode < 256; ++opcode) {
                const auto raw = static_cast<std::uint8_t>(opcode);
                if (!nvme::parse_io_opcode(raw)) continue;
                const policy::verdict v = policy::reservation(denied_now, access_needed(raw));
                same("access", v.says == policy::word::pass, reference_.lets_through(host, opcode));
            }
        }
    }

    /// The first bytes of a report that was written in two pieces, and cut somewhere.
    void compare_report() {
        const std::size_t all = 64 + 64 * reference_.key_of.size();
        same("report length", reservation_report_bytes(state_), all);
        const std::size_t length = 4 * (1 + below(static_cast<unsigned>(all / 4 + 8)));
        const std::size_t cut = below(static_cast<unsigned>(length + 1));
        std::vector<std::byte> got(length);
        const std::size_t first = write_reservation_report(state_, 0, std::span(got).first(cut));
        const std::size_t second =
            write_reservation_report(state_, cut, std::span(got).subspan(cut));
        same("report bytes", first + second, std::min(length, all));
        std::vector<std::uint8_t> wanted = report_of_reference();
        wanted.resize(length);
        std::size_t at = 0;
        while (at < length && std::to_integer<std::uint8_t>(got[at]) == wanted[at]) ++at;
        same("the first byte of the report that differs", at, length);
    }

    [[nodiscard]] std::vector<std::uint8_t> report_of_reference() const {
        std::vector<std::uint8_t> out(64);
        for (unsigned i = 0; i < 4; ++i)
            out[i] = static_cast<std::uint8_t>(reference_.gen >> (8 * i));
        out[4] = static_cast<std::uint8_t>(reference_.rtype);
        out[5] = static_cast<std::uint8_t>(reference_.key_of.size());
        out[9] = reference_.ptpl ? 1 : 0;
        for (const auto& [host, key] : reference_.key_of) {
            std::vector<std::uint8_t> one(64);
            one[0] = one[1] = 0xff;
            one[2] = reference_.holds(host) ? 1 : 0;
            for (unsigned i = 0; i < 8; ++i) one[8 + i] = static_cast<std::uint8_t>(key >> (8 * i));
            for (unsigned i = 0; i < 16; ++i)
                one[16 + i] =
                    static_cast<std::uint8_t>(std::stoi(host.substr(2 * i, 2), nullptr, 16));
            out.insert(out.end(), one.begin(), one.end());
        }
        return out;
    }

    void compare_record() {
        const auto back = from_record(to_record(state_));
        same("a readable record", back.has_value(), true);
        same("the state of its record", back.has_value() && *back == state_, true);
    }

    void read_pages() {
        for (std::size_t i = 0; i < random_hosts; ++i)
            if (!never_reads_[i] && chance(10)) (void)compare_page(i);
    }

    /// False: there was none.
    bool compare_page(std::size_t number) {
        const notices_reference::page wanted = pages_[number].take();
        const nvme::reservation_notification_log got = notices_[number].take();
        same("page count", got.log_page_count.value(), wanted.count);
        same("page type", int{got.type}, wanted.type);
        same("pages left", int{got.available_pages}, wanted.more);
        same("page NSID", got.nsid.value(), wanted.nsid);
        return wanted.count != 0;
    }

    std::mt19937 draw_;
    std::vector<nvme::host_id> hosts_;
    std::vector<bool> never_reads_;
    reservation_state state_;
    reservation_reference reference_;
    std::array<reservation_notices, random_hosts> notices_;
    std::array<notices_reference, random_hosts> pages_;
    int step_ = 0;
    std::string last_ = "nothing";
    std::string wrong_;
};

/// The first difference within so many seeds, or nothing.
std::string first_difference(std::uint32_t seeds) {
    for (std::uint32_t seed = 1; seed <= seeds; ++seed)
        if (const std::string wrong = random_world(seed).play(steps_of(seed)); !wrong.empty())
            return "seed " + std::to_string(seed) + ", " + wrong;
    return {};
}

TEST(reservations_of_random_hosts, are_what_the_plain_reference_says) {
    std::set<std::string> met;
    bool lost_any = false;
    for (std::uint32_t seed = 1; seed <= random_seeds; ++seed) {
        random_world world(seed);
        const std::string wrong = world.play(steps_of(seed));
        ASSERT_EQ(wrong, "") << "seed " << seed;
        met.insert(world.met().begin(), world.met().end());
        lost_any = lost_any || world.lost_any();
    }
    EXPECT_TRUE(lost_any) << "no queue of notifications was ever full";
    constexpr std::size_t rules_of_the_reference = 46;
    EXPECT_EQ(met.size(), rules_of_the_reference) << testing::PrintToString(met);
}

#ifdef FULMAR_MUTATIONS

class reservation_mutations : public testing::TestWithParam<mutation> {
  protected:
    void TearDown() override { active_mutation = mutation::none; }
};

TEST_P(reservation_mutations, are_noticed) {
    constexpr std::uint32_t enough_seeds = 50;
    active_mutation = GetParam();
    const std::string noticed = first_difference(enough_seeds);
    active_mutation = mutation::none;
    EXPECT_NE(noticed, "") << "nobody has noticed";
    RecordProperty("mutations that are noticed", std::string(to_string(GetParam())));
    std::printf("%s is noticed: %s\n", std::string(to_string(GetParam())).c_str(), noticed.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    all, reservation_mutations,
    testing::Values(mutation::copies_only_read, mutation::registrants_share_any_reservation,
                    mutation::registering_again_replaces_keys, mutation::any_key_unregisters,
                    mutation::any_key_acquires, mutation::iekey_acquires,
                    mutation::existing_keys_are_not_ignored,
                    mutation::refused_commands_change_persistence,
                    mutation::reserved_persistence_is_kept,
                    mutation::reservations_outlive_their_holder,
                    mutation::unregistering_always_releases, mutation::acquiring_changes_the_type,
                    mutation::preempted_hosts_stay_registered, mutation::preempting_keeps_the_type,
                    mutation::takers_are_preempted_too, mutation::preempting_nobody_acquires,
                    mutation::zero_keys_preempt, mutation::zero_keys_spare_holders,
                    mutation::preempts_are_not_counted, mutation::preempt_and_abort_ends_nobody,
                    mutation::preempted_hosts_are_not_told,
                    mutation::registrants_release_for_others, mutation::any_type_is_released,
                    mutation::clearing_keeps_registrants, mutation::clearing_is_not_told,
                    mutation::releases_are_not_told, mutation::masked_notices_are_queued,
                    mutation::lost_notices_are_not_counted, mutation::cut_reports_count_what_fits),
    [](const auto& each) { return std::string(to_string(each.param)); });

#else

TEST(reservation_mutations, are_not_in_this_build) {
    EXPECT_FALSE(mutated(mutation::copies_only_read));
    EXPECT_EQ(first_difference(1), "");
}

#endif

}  // namespace
}  // namespace fulmar::core::test
