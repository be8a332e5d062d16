// Reservations once more, as plainly as the specification says them: numbers of the wire, text for
// hosts, one long list of ifs. It shares no code with the product, and is compared with it after
// each random step (reservation_random_test.cpp). NVMe Base 2.0, sections 7.2 to 7.5 and 8.19.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fulmar::core::test {

/// A command as numbers.
struct reference_command {
    int opcode = 0;  // 0Dh Register, 11h Acquire, 15h Release
    int action = 0;
    bool iekey = false;
    int rtype = 0;
    int cptpl = 0;
    std::uint64_t crkey = 0;
    std::uint64_t second_key = 0;
};

struct reservation_reference {
    static constexpr int success = 0x00, invalid_field = 0x02, conflict = 0x83;

    std::map<std::string, std::uint64_t> key_of;  // of each registrant
    int rtype = 0;
    std::string holder;  // of types 1 to 4
    bool ptpl = false;
    std::uint32_t gen = 0;

    // Of the last command.
    std::map<std::string, int> told;  // host: type of its notification
    std::set<std::string> ended;      // hosts whose commands are ended
    bool changed = false;

    std::set<std::string> met;  // which rules have been met so far

    [[nodiscard]] bool registered(const std::string& host) const { return key_of.count(host) != 0; }

    [[nodiscard]] bool holds(const std::string& host) const {
        if (rtype == 5 || rtype == 6) return registered(host);
        return rtype != 0 && host == holder;
    }

    [[nodiscard]] bool may_read(const std::string& host) const {
        if (rtype == 2) return host == holder;
        if (rtype == 4 || rtype == 6) return registered(host);
        return true;
    }

    [[nodiscard]] bool may_write(const std::string& host) const {
        if (rtype == 1 || rtype == 2) return host == holder;
        if (rtype >= 3) return registered(host);
        return true;
    }

    /// Whether the reservation lets an I/O opcode of `host` through.
    [[nodiscard]] bool lets_through(const std::string& host, int opcode) const {
        switch (opcode) {
            case 0x02:  // Read
            case 0x05:  // Compare
            case 0x0c:  // Verify
            case 0x7a:  // Zone Management Receive
                return may_read(host);
            case 0x00:  // Flush
            case 0x01:  // Write
            case 0x04:  // Write Uncorrectable
            case 0x08:  // Write Zeroes
            case 0x09:  // Dataset Management
            case 0x79:  // Zone Management Send
            case 0x7d:  // Zone Append
                return may_write(host);
            case 0x19: return may_read(host) && may_write(host);  // Copy
            default: return true;
        }
    }

    int command(const std::string& host, const reference_command& c) {
        told.clear();
        ended.clear();
        changed = false;
        if (c.opcode == 0x0d) return registering(host, c);
        if (c.opcode == 0x11) return acquiring(host, c);
        return releasing(host, c);
    }

    void set_persistence(bool on) {
        changed = ptpl != on;
        ptpl = on;
    }

  private:
    int rule(const char* name, int status) {
        met.insert(name);
        return status;
    }

    void tell_all_but(const std::string& host, int type) {
        for (const auto& [other, key] : key_of)
            if (other != host) told[other] = type;
    }

    int registering(const std::string& host, const reference_command& c) {
        if (c.action > 2) return rule("register: reserved action", invalid_field);
        if (c.cptpl == 1) return rule("register: reserved CPTPL", invalid_field);
        if (c.action == 0 && registered(host) && key_of[host] != c.second_key)
            return rule("register: another key", conflict);
        if (c.action == 1 && !registered(host)) return rule("unregister: a stranger", conflict);
        if (c.action == 1 && !c.iekey && key_of[host] != c.crkey)
            return rule("unregister: wrong key", conflict);
        if (c.action == 2 && !c.iekey && !registered(host))
            return rule("replace: a stranger", conflict);
        if (c.action == 2 && !c.iekey && key_of[host] != c.crkey)
            return rule("replace: wrong key", conflict);
        if (c.cptpl == 2) ptpl = false;
        if (c.cptpl == 3) ptpl = true;
        changed = true;
        ++gen;
        if (c.action == 2 && c.iekey && !registered(host))
            met.insert("replace: IEKEY registers a stranger");
        if (c.action != 1) {
            key_of[host] = c.second_key;
            return rule("register or replace", success);
        }
        const bool was_single_holder = rtype >= 1 && rtype <= 4 && holder == host;
        key_of.erase(host);
        if (was_single_holder) {
            if (rtype == 3 || rtype == 4) {
                met.insert("unregister: releases and tells");
                tell_all_but(host, 2);
            } else {
                met.insert("unregister: releases in silence");
            }
            rtype = 0;
            holder.clear();
        } else if (rtype >= 5 && key_of.empty()) {
            met.insert("unregister: the last of all holders");
            rtype = 0;
        } else if (rtype >= 5) {
            met.insert("unregister: one of many holders");
        }
        return rule("unregister", success);
    }

    int acquiring(const std::string& host, const reference_command& c) {
        if (c.action > 2) return rule("acquire: reserved action", invalid_field);
        if (c.rtype < 1 || c.rtype > 6) return rule("acquire: reserved type", invalid_field);
        if (c.iekey) return rule("acquire: IEKEY", invalid_field);
        if (!registered(host)) return rule("acquire: a stranger", conflict);
        if (key_of[host] != c.crkey) return rule("acquire: wrong key", conflict);
        if (c.action == 0) {
            if (rtype == 0) {
                take(host, c.rtype);
                changed = true;
                return rule("acquire", success);
            }
            if (!holds(host)) return rule("acquire: held by another host", conflict);
            if (rtype != c.rtype) return rule("acquire: held with another type", conflict);
            return rule("acquire: again", success);
        }
        const int status = preempting(host, c);
        if (status == success) {
            ++gen;
            changed = true;
            if (c.action == 1) ended.clear();
            if (!ended.empty()) met.insert("preempt and abort");
        }
        return status;
    }

    void take(const std::string& host, int type) {
        rtype = type;
        holder = type <= 4 ? host : "";
    }

    /// Everybody in `victims` is registered no more.
    void drop(const std::string& host, const std::vector<std::string>& victims) {
        for (const std::string& v : victims) {
            key_of.erase(v);
            ended.insert(v);
            if (v != host) told[v] = 1;
        }
    }

    int preempting(const std::string& host, const reference_command& c) {
        std::vector<std::string> with_key, others_with_key, others;
        for (const auto& [other, key] : key_of) {
            if (key == c.second_key) with_key.push_back(other);
            if (key == c.second_key && other != host) others_with_key.push_back(other);
            if (other != host) others.push_back(other);
        }
        const int old_type = rtype;
        if (rtype == 0) {
            if (with_key.empty()) return rule("preempt: nobody, nothing is held", conflict);
            drop(host, with_key);
            return rule("preempt: registrants, nothing is held", success);
        }
        if (rtype >= 5) {
            if (c.second_key == 0) {
                drop(host, others);
                take(host, c.rtype);
                return rule("preempt: all registrants hold, key 0", success);
            }
            if (with_key.empty()) return rule("preempt: all registrants hold, nobody", conflict);
            drop(host, with_key);
            if (key_of.empty()) {
                met.insert("preempt: every holder, itself too");
                rtype = 0;
            }
            return rule("preempt: all registrants hold, some of them", success);
        }
        if (key_of[holder] == c.second_key) {
            met.insert(holder == host ? "preempt: itself" : "preempt: the holder");
            drop(host, others_with_key);
            take(host, c.rtype);
            if (rtype != old_type) {
                met.insert("preempt: another type");
                tell_the_rest(host);
            }
            return success;
        }
        if (c.second_key == 0) return rule("preempt: key 0, one holder", invalid_field);
        if (with_key.empty()) return rule("preempt: nobody, one holder", conflict);
        drop(host, with_key);
        return rule("preempt: registrants, one holder", success);
    }

    void tell_the_rest(const std::string& host) {
        for (const auto& [other, key] : key_of)
            if (other != host) told[other] = 2;
    }

    int releasing(const std::string& host, const reference_command& c) {
        if (c.action > 1) return rule("release: reserved action", invalid_field);
        if (c.iekey) return rule("release: IEKEY", invalid_field);
        if (!registered(host)) return rule("release: a stranger", conflict);
        if (key_of[host] != c.crkey) return rule("release: wrong key", conflict);
        if (c.action == 1) {
            tell_all_but(host, 3);
            key_of.clear();
            rtype = 0;
            holder.clear();
            ++gen;
            changed = true;
            return rule("clear", success);
        }
        if (rtype == 0) return rule("release: nothing is held", success);
        if (!holds(host)) return rule("release: held by another host", success);
        if (rtype != c.rtype) return rule("release: another type", invalid_field);
        if (rtype > 2) {
            met.insert("release: tells");
            tell_all_but(host, 2);
        }
        rtype = 0;
        holder.clear();
        changed = true;
        return rule("release", success);
    }
};

/// Log page 80h of one controller.
struct notices_reference {
    struct page {
        std::uint64_t count = 0;
        int type = 0, more = 0;
        std::uint32_t nsid = 0;
    };
    std::size_t room = 0;
    std::uint64_t counter = 0;
    std::deque<page> pages;
    std::map<std::uint32_t, std::uint32_t> masks;
    bool lost_any = false;

    void add(std::uint32_t nsid, int type) {
        if ((masks[nsid] >> type & 1u) != 0) return;
        ++counter;
        if (pages.size() < room) {
            pages.push_back({.count = counter, .type = type, .nsid = nsid});
        } else {
            pages.back().count = counter;
            lost_any = true;
        }
    }

    page take() {
        if (pages.empty()) return {};
        page oldest = pages.front();
        pages.pop_front();
        oldest.more = static_cast<int>(pages.size());
        return oldest;
    }
};

}  // namespace fulmar::core::test
