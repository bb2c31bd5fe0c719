"""Clerical review (人工核对): pairs of records put before people blind, their answers kept, and what the answers decide and measure."""
