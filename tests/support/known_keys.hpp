// Keys of a test, by name, which it may exchange while the target runs.
#pragma once

#include <fulmar/security/key_source.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace fulmar::test {

class known_keys final : public security::key_source {
  public:
    /// The present key first; none: there is no key of that name. A text that is no key is broken.
    void set(std::string name, std::vector<std::string> texts) {
        const std::lock_guard lock(mutex_);
        texts_[std::move(name)] = std::move(texts);
    }
    security::key_state state_of(std::string_view name) const noexcept override {
        const std::lock_guard lock(mutex_);
        const auto at = texts_.find(name);
        if (at == texts_.end() || at->second.empty()) return security::key_state::missing;
        for (const std::string& text : at->second)
            if (!security::parse_dhchap_key(text)) return security::key_state::broken;
        return security::key_state::usable;
    }
    /// While it is held, whoever looks for a key waits.
    std::atomic<bool> held{false};
    result<std::vector<security::dhchap_key>> find(std::string_view name) const override {
        while (held.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const std::lock_guard lock(mutex_);
        std::vector<security::dhchap_key> all;
        const auto at = texts_.find(name);
        if (at == texts_.end() || at->second.empty()) return fail(errc::not_found, "no such key");
        for (const std::string& text : at->second) {
            FULMAR_TRY(auto key, security::parse_dhchap_key(text));
            all.push_back(std::move(key));
        }
        return all;
    }
    security::key_state tls_state_of(std::string_view name) const noexcept override {
        const std::lock_guard lock(mutex_);
        const auto at = texts_.find(name);
        if (at == texts_.end() || at->second.empty()) return security::key_state::missing;
        for (const std::string& text : at->second)
            if (!security::parse_tls_key(text)) return security::key_state::broken;
        return security::key_state::usable;
    }
    result<std::vector<security::tls_key>> find_tls(std::string_view name) const override {
        const std::lock_guard lock(mutex_);
        std::vector<security::tls_key> all;
        const auto at = texts_.find(name);
        if (at == texts_.end() || at->second.empty()) return fail(errc::not_found, "no such key");
        for (const std::string& text : at->second) {
            FULMAR_TRY(auto key, security::parse_tls_key(text));
            all.push_back(std::move(key));
        }
        return all;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<std::string>, std::less<>> texts_;
};

}  // namespace fulmar::test
