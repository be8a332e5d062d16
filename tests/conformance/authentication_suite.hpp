// A target with a host that has to prove who it is, hosts that can, and raw queues that stop
// halfway.
#pragma once

#include "suite.hpp"

#include <fulmar/host/authenticate.hpp>
#include <fulmar/nvme/auth.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fulmar::conformance {

using nvme::auth_failure;

inline constexpr std::string_view key_of_host =
    "DHHC-1:01:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:";
inline constexpr std::string_view key_of_target =
    "DHHC-1:03:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"
    "QJn7gCg=:";
inline constexpr std::string_view another_key =
    "DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:";

class authentication_test : public suite {
  protected:
    authentication_test() {
        keys.set("h", {std::string(key_of_host)});
        keys.set("t", {std::string(key_of_target)});
        setup.keys = &keys;
        offered().host_keys = {{std::string(host_nqn), "h", "t"}};
    }
    static std::shared_ptr<security::dhchap_credentials> own_keys(
        std::string_view host = key_of_host, std::string_view controller = {}) {
        auto made = std::make_shared<security::dhchap_credentials>();
        made->host_key = must(security::parse_dhchap_key(host));
        if (!controller.empty())
            made->controller_key = must(security::parse_dhchap_key(controller));
        return made;
    }
    host::controller_options with(std::shared_ptr<security::dhchap_credentials> who) {
        host::controller_options options = host_options();
        options.keys = std::move(who);
        return options;
    }
    static void offer(security::dhchap_credentials& who, nvme::dhchap_hash hash,
                      nvme::dhchap_group group) {
        who.policy = {{hash}, {group}};
    }
    void allow_all_groups() {
        offered().dhchap_groups = {"none",      "ffdhe2048", "ffdhe3072",
                                   "ffdhe4096", "ffdhe6144", "ffdhe8192"};
    }
    /// A raw admin queue whose Connect was accepted, with what that answered.
    host::raw_session raw_connected(std::uint32_t* dw0 = nullptr, std::uint32_t kato_ms = 0) {
        host::raw_session s = raw();
        host::connect_parameters p = parameters();
        p.keep_alive_ms = kato_ms;
        const auto got = must(s.connect_queue(p));
        EXPECT_EQ(got.status(), sc::success);
        if (dw0 != nullptr) *dw0 = got.answer.dw0.value();
        return s;
    }
    static nvme::status send(host::raw_session& s, std::span<const std::byte> message) {
        auto sqe = host::make_authentication(nvme::fctype::authentication_send,
                                             static_cast<std::uint32_t>(message.size()));
        return must(s.run(raw_sqe(sqe, 5,
                                  nvme::make_in_capsule_sgl(
                                      0, static_cast<std::uint32_t>(message.size()))),
                          message))
            .status();
    }
    static bytes receive(host::raw_session& s, std::uint32_t length = 4096) {
        const auto sqe = host::make_authentication(nvme::fctype::authentication_receive, length);
        const auto got = must(s.run(raw_sqe(sqe, 6, nvme::make_transport_sgl(length))));
        EXPECT_EQ(got.status(), sc::success);
        return got.data;
    }
    static std::optional<auth_failure> failure_in(const bytes& message) {
        const auto said = nvme::read_wire<nvme::auth_failure_message>(message);
        if (!said || said->head.id != 0xf1) return std::nullopt;
        return static_cast<auth_failure>(said->explanation);
    }
    security::dhchap_credentials raw_keys(std::string_view host = key_of_host) {
        security::dhchap_credentials who;
        who.host_nqn = host_nqn;
        who.subsystem_nqn = subsystem_nqn;
        who.host_key = must(security::parse_dhchap_key(host));
        offer(who, nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
        return who;
    }
    /// The whole of it on `s`; Success1, or what came instead.
    static bytes prove(host::raw_session& s, const security::dhchap_credentials& who) {
        security::dhchap_host exchange(who, 77);
        EXPECT_EQ(send(s, exchange.negotiate()), sc::success);
        const bytes challenge = receive(s);
        EXPECT_EQ(send(s, must(exchange.on_challenge(challenge))), sc::success);
        return receive(s);
    }
};

}  // namespace fulmar::conformance
