// Random but valid configurations, small enough that two of them have much in common.
#pragma once

#include <fulmar/core/model.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace fulmar::admin::testing_support {

class spec_generator {
  public:
    explicit spec_generator(std::uint64_t seed) : random_(seed) {}

    core::target_spec target() {
        core::target_spec spec;
        for (std::uint16_t port = 4420; port < 4424; ++port)
            if (coin()) spec.listeners.push_back({"tcp", "127.0.0.1", port});
        for (unsigned i = 0; i < 8; ++i)
            if (coin()) spec.devices.push_back(device(i));
        std::shuffle(spec.devices.begin(), spec.devices.end(), random_);
        std::vector<std::string> free;
        for (const auto& device : spec.devices) free.push_back(device.name);
        for (unsigned i = 0; i < 4; ++i)
            if (coin()) spec.subsystems.push_back(subsystem(i, spec, free));
        for (std::uint16_t port = 8009; port < 8011; ++port)
            if (coin()) spec.referrals.push_back({"tcp", "::1", port});
        return spec;
    }

    bool coin() { return below(2) == 0; }
    std::uint32_t below(std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_);
    }

  private:
    core::device_spec device(unsigned i) {
        core::device_spec spec{.name = fmt::format("d{}", i), .type = coin() ? "ram" : "file"};
        spec.description = description();
        if (below(4) == 0) {
            spec.type = "pcie";
            spec.address = fmt::format("0000:{:02x}:00.0", i);
            spec.detached = coin();
            return spec;
        }
        if (below(4) == 0) {
            spec.type = "nbd";
            spec.uri = fmt::format("nbd://192.0.2.{}/disk", i);
            spec.connections = 1 + below(3);
            if (coin()) spec.tls_certificates = "/etc/nbd";
            if (coin()) spec.tls_psk_file = "/etc/nbd/keys";
            if (coin()) spec.tls_username = "fulmar";
            return spec;
        }
        if (below(4) == 0) {
            spec.type = "rbd";
            spec.pool = "rbd";
            spec.image = fmt::format("image{}", i);
            if (coin()) spec.ceph_namespace = "prod";
            if (coin()) spec.snapshot = "before";
            if (coin()) spec.user = "fulmar";
            if (coin()) spec.conf = "/etc/ceph/other.conf";
            if (coin()) spec.keyring = "/etc/ceph/keyring";
            if (coin()) spec.cpus = "0-1";
            spec.timeout_s = 1 + below(30);
            return spec;
        }
        spec.size_bytes = 4096u << below(3);
        spec.block_bytes = coin() ? 512 : 4096;
        if (spec.type == "file") spec.path = fmt::format("/srv/{}.img", i);
        return spec;
    }

    core::subsystem_spec subsystem(unsigned i, const core::target_spec& target,
                                   std::vector<std::string>& free) {
        core::subsystem_spec spec;
        spec.nqn = fmt::format("nqn.2026-11.io.fulmar:s{}", i);
        spec.serial = fmt::format("S{}", below(8) == 0 ? 1 : 0);
        spec.allow_any_host = coin();
        spec.description = description();
        for (unsigned h = 0; h < 3; ++h)
            if (coin()) spec.hosts.push_back(fmt::format("nqn.2014-08.org.x:h{}", h));
        for (unsigned h = 0; h < 3; ++h)
            if (coin())
                spec.host_keys.push_back(
                    {fmt::format("nqn.2014-08.org.x:h{}", h), "k1", coin() ? "k2" : ""});
        spec.dhchap_required = below(4) == 0;
        if (coin()) spec.dhchap_hashes = {"sha384", "sha512"};
        if (coin()) spec.dhchap_groups = {"ffdhe2048"};
        if (below(4) == 0 && !target.listeners.empty())
            spec.listeners.push_back(target.listeners.front().name());
        for (std::uint32_t id = 1; id < 4; ++id)
            if (coin()) spec.ana_groups.push_back(ana_group(id));
        for (std::uint32_t nsid = 1; nsid < 4; ++nsid) {
            if (free.empty() || coin()) continue;
            core::namespace_spec ns{.nsid = nsid};
            const auto at = free.begin() + below(static_cast<std::uint32_t>(free.size()));
            ns.device = *at;
            free.erase(at);
            if (!spec.ana_groups.empty() && coin()) {
                const auto count = static_cast<std::uint32_t>(spec.ana_groups.size());
                ns.ana_group = spec.ana_groups[below(count)].id;
            } else {
                ns.ana = ana();
            }
            ns.on_loss = below(4) == 0 ? core::loss_policy::hold : core::loss_policy::fail;
            ns.uuid = fmt::format("00000000-0000-4000-8000-0000000000{}{}", i, nsid);
            ns.nguid = fmt::format("0000000000000000000000000000{:02}{:02}", i + 1, nsid);
            if (coin()) ns.visible_to.all = false;
            for (unsigned h = 0; h < 3 && !ns.visible_to.all; ++h)
                if (coin()) ns.visible_to.named.push_back(fmt::format("nqn.2014-08.org.x:h{}", h));
            ns.description = description();
            spec.namespaces.push_back(std::move(ns));
        }
        spec.paused = below(4) == 0;
        return spec;
    }

    core::ana_state ana() {
        return coin() ? core::ana_state::optimized : core::ana_state::inaccessible;
    }

    core::ana_group_spec ana_group(std::uint32_t id) {
        core::ana_group_spec group{.id = id, .state = ana(), .then = ana()};
        for (std::uint16_t port = 4420; port < 4423; ++port)
            if (below(4) == 0)
                group.listeners.emplace(fmt::format("tcp:127.0.0.1:{}", port),
                                        coin() ? core::ana_state::change : ana());
        group.description = description();
        return group;
    }

    std::string description() {
        return coin() ? std::string() : fmt::format("number {}", below(3));
    }

    std::mt19937_64 random_;
};

/// The same configuration with every list in one order: reloads do not promise an order.
inline core::target_spec sorted(core::target_spec spec) {
    const auto by = [](auto& list, auto key) {
        std::sort(list.begin(), list.end(),
                  [&](const auto& a, const auto& b) { return key(a) < key(b); });
    };
    by(spec.listeners, [](const auto& l) { return l.name(); });
    by(spec.devices, [](const auto& d) { return d.name; });
    by(spec.subsystems, [](const auto& s) { return s.nqn; });
    by(spec.referrals, [](const auto& r) { return r.port; });
    for (auto& subsystem : spec.subsystems) {
        by(subsystem.namespaces, [](const auto& ns) { return ns.nsid; });
        by(subsystem.ana_groups, [](const auto& group) { return group.id; });
        std::sort(subsystem.hosts.begin(), subsystem.hosts.end());
    }
    return spec;
}

}  // namespace fulmar::admin::testing_support
